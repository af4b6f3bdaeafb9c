//! A line search for the strong Wolfe conditions.
use super::precision::{Precision, largest};
use crate::Objective;
use slalom_array::Result;

/// A point on the line: how far along it, the loss, its gradient, and its slope along the line.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) t: f64,
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) slope: f64,
}

/// The line from a position in a direction.
pub(super) struct Line<'a> {
    pub(super) objective: &'a mut dyn Objective,
    pub(super) position: &'a [f64],
    pub(super) direction: &'a [f64],
    pub(super) precision: Precision,
    /// How often the loss has been evaluated.
    pub(super) evaluations: i64,
}

impl Line<'_> {
    /// The point `t` along the line.
    pub(super) fn at(&mut self, t: f64) -> Result<Point> {
        self.evaluations += 1;
        let mut position = self.position.to_vec();
        self.precision.add(&mut position, t, self.direction);
        let (loss, gradient) = self.objective.evaluate(&position)?;
        let slope = self.precision.dot(&gradient, self.direction);
        Ok(Point { t, loss, gradient, slope })
    }

    /// Whether the loss has not fallen enough.
    fn falls_short(&self, new: &Point, start: &Point) -> bool {
        let fall = self.precision.round(1e-4 * new.t * start.slope);
        new.loss > self.precision.round(start.loss + fall)
    }

    /// A point `t` along the line from `start` where the loss has fallen enough, `f ≤ f₀ + c₁ t f₀'`, and the slope has
    /// flattened, `|f'| ≤ c₂ |f₀'|`; or the best one that `limit` further evaluations find.
    ///
    /// Nocedal and Wright, *Numerical optimization*, 2006, algorithms 3.5 and 3.6; the interpolation and its safeguards are
    /// those of PyTorch's `LBFGS`.
    pub(super) fn strong_wolfe(
        &mut self,
        start: &Point,
        t: f64,
        limit: i64,
        tolerance: f64,
    ) -> Result<Point> {
        let mut previous = start.clone();
        let mut new = self.at(t)?;
        let mut count = 0;
        // An interval that holds a point that will do.
        let (mut low, mut high) = loop {
            if count >= limit {
                break (start.clone(), new);
            }
            if self.falls_short(&new, start) || (count > 1 && new.loss >= previous.loss) {
                break (previous, new);
            }
            if is_flat(&new, start) {
                return Ok(new);
            }
            if new.slope >= 0.0 {
                break (previous, new);
            }
            let bounds = (new.t + 0.01 * (new.t - previous.t), new.t * 10.0);
            let next = self.at(cubic(self.precision, &previous, &new, bounds))?;
            previous = std::mem::replace(&mut new, next);
            count += 1;
        };
        if low.loss > high.loss {
            std::mem::swap(&mut low, &mut high);
        }
        let longest = largest(self.direction);
        let mut stalled = false;
        while count < limit && (high.t - low.t).abs() * longest >= tolerance {
            let t = inside(self.precision, &low, &high, &mut stalled);
            let new = self.at(t)?;
            count += 1;
            if self.falls_short(&new, start) || new.loss >= low.loss {
                high = new;
                if low.loss > high.loss {
                    std::mem::swap(&mut low, &mut high);
                }
            } else {
                if is_flat(&new, start) {
                    return Ok(new);
                }
                if new.slope * (high.t - low.t) >= 0.0 {
                    high = low;
                }
                low = new;
            }
        }
        Ok(low)
    }
}

/// Whether the slope is flat enough.
fn is_flat(new: &Point, start: &Point) -> bool {
    new.slope.abs() <= -0.9 * start.slope
}

/// The minimum of the cubic through two points, within bounds.
fn cubic(precision: Precision, a: &Point, b: &Point, (least, most): (f64, f64)) -> f64 {
    let r = |x| precision.round(x);
    let d1 = r(r(a.slope + b.slope) - r(3.0 * (a.loss - b.loss) / (a.t - b.t)));
    let square = r(r(d1 * d1) - r(a.slope * b.slope));
    if square.is_nan() || square < 0.0 {
        return r((least + most) / 2.0);
    }
    let (near, far) = if a.t <= b.t { (a, b) } else { (b, a) };
    let d2 = r(square.sqrt());
    let part = r(r(r(far.slope + d2) - d1) / r(r(far.slope - near.slope) + 2.0 * d2));
    let t = r(far.t - r(r(far.t - near.t) * part));
    r(t.max(least).min(most))
}

/// A point between two, not too near to either of them twice in turn.
fn inside(precision: Precision, low: &Point, high: &Point, stalled: &mut bool) -> f64 {
    let (left, right) = (low.t.min(high.t), low.t.max(high.t));
    let t = cubic(precision, low, high, (left, right));
    let margin = 0.1 * (right - left);
    if (right - t).min(t - left) >= margin {
        *stalled = false;
        return t;
    }
    if !*stalled && t < right && t > left {
        *stalled = true;
        return t;
    }
    *stalled = false;
    precision.round(if (t - right).abs() < (t - left).abs() { right - margin } else { left + margin })
}
