//! What a quasi-Newton method knows of the curvature from its last steps.
use super::precision::Precision;
use crate::search::SearchState;

/// The slots: the last direction and its gradient, and the remembered changes of the gradient and steps, oldest first.
pub(super) const SLOTS: [&str; 4] = ["d", "prev_gradient", "y", "s"];
/// The scalars: counts of iterations and evaluations, the length of the last step along its direction, the scale of the
/// inverse Hessian matrix, and how many steps are remembered.
pub(super) const SCALARS: [&str; 5] = ["n_iter", "func_evals", "t", "h_diag", "remembered"];

/// How many steps are remembered, of those that there is room for.
fn remembered(state: &SearchState) -> usize {
    (state.scalars[4] as usize).min(state.slots[2].len()).min(state.slots[3].len())
}

/// `-H g` by the steps `s` and the changes `y` of the gradient that are remembered, oldest first. Those along which the slope
/// has not grown count for nothing: a matrix with them would not be positive definite.
pub(super) fn direction(precision: Precision, gradient: &[f64], state: &SearchState) -> Vec<f64> {
    let remembered = remembered(state);
    let pairs = state.slots[3][..remembered].iter().zip(&state.slots[2][..remembered]);
    let inverse =
        |s, y| Some(precision.dot(y, s)).filter(|&dot| dot > 0.0).map(|dot| precision.round(1.0 / dot));
    let pairs: Vec<_> = pairs.filter_map(|(s, y)| Some((s, y, inverse(s, y)?))).collect();
    let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = vec![0.0; pairs.len()];
    for (weight, &(s, y, inverse)) in weights.iter_mut().zip(&pairs).rev() {
        *weight = precision.round(precision.dot(s, &d) * inverse);
        precision.add(&mut d, -*weight, y);
    }
    d.iter_mut().for_each(|d| *d = precision.round(*d * state.scalars[3]));
    for (weight, (s, y, inverse)) in weights.into_iter().zip(pairs) {
        let other = precision.round(precision.dot(y, &d) * inverse);
        precision.add(&mut d, precision.round(weight - other), s);
    }
    d
}

/// Remembers the last step, if the slope has grown along it.
pub(super) fn remember(precision: Precision, gradient: &[f64], state: &mut SearchState) {
    let mut place = remembered(state);
    let [direction, last, changes, steps] = &mut state.slots[..] else { return };
    let mut change = gradient.to_vec();
    precision.add(&mut change, -1.0, &last[0]);
    let mut step = vec![0.0; change.len()];
    precision.add(&mut step, state.scalars[2], &direction[0]);
    let product = precision.dot(&change, &step);
    if product <= 1e-10 {
        return;
    }
    state.scalars[3] = precision.round(product / precision.dot(&change, &change));
    if place == changes.len() {
        changes.rotate_left(1);
        steps.rotate_left(1);
        place -= 1;
    }
    state.scalars[4] = (place + 1) as f64;
    (changes[place], steps[place]) = (change, step);
}
