use super::*;
use proptest::prelude::*;

/// One axis: length, size, stride, dilation, padding before and after.
type Axis = (usize, usize, usize, usize, usize, usize);

#[derive(Debug, Clone)]
struct Given {
    axes: Vec<Axis>,
    batch: usize,
    inner: usize,
    outer: usize,
    groups: usize,
    padding: u8,
}

fn given() -> impl Strategy<Value = Given> {
    let axis = (1usize..9, 1usize..4, 1usize..4, 1usize..3, 0usize..3, 0usize..3);
    // Depthwise ones (one channel in a group), and enough filters for several panels.
    let channels = prop_oneof![Just(1usize), 1usize..5, Just(19)];
    let filters = prop_oneof![1usize..4, Just(37)];
    (prop::collection::vec(axis, 1..=3), 0usize..4, channels, filters, 1usize..4, 0u8..3).prop_map(
        |(axes, batch, inner, outer, groups, padding)| Given { axes, batch, inner, outer, groups, padding },
    )
}

impl Given {
    fn convolution(&self) -> Option<Convolution> {
        let pick = |f: fn(&Axis) -> usize| -> Vec<usize> { self.axes.iter().map(f).collect() };
        let padding = match self.padding {
            0 => Padding::Valid,
            1 => Padding::Same,
            _ => Padding::Explicit(self.axes.iter().map(|a| [a.4, a.5]).collect()),
        };
        let input = framed(self.batch, &pick(|a| a.0), self.inner * self.groups);
        let filters: Shape =
            pick(|a| a.1).into_iter().chain([self.inner, self.outer * self.groups]).collect();
        let (strides, dilations) = (pick(|a| a.2), pick(|a| a.3));
        Convolution::new("conv", &input, &filters, &strides, &dilations, &padding, self.groups).ok()
    }
}

fn numbers(shape: &Shape, seed: usize) -> Array {
    let n = shape.num_elements().unwrap();
    Array::from_vec(shape, (0..n).map(|i| ((i * 7 + seed) % 23) as f64 / 4.0 - 2.5).collect()).unwrap()
}

/// Calls `body(x, w, y)` with the places of the factors of each product in the sum that defines the convolution.
fn for_products(c: &Convolution, mut body: impl FnMut(usize, usize, usize)) {
    let w = &c.windows;
    let (inner, outer) = (c.channels / c.groups, c.filters / c.groups);
    let split = |mut i: usize, lengths: [usize; 3]| {
        let mut at = [0; 3];
        for axis in (0..3).rev() {
            at[axis] = i % lengths[axis];
            i /= lengths[axis];
        }
        at
    };
    for n in 0..c.batch {
        for o in 0..w.count() {
            for k in 0..w.area() {
                let (position, tap) = (split(o, w.out), split(k, w.size));
                let cell: [isize; 3] = std::array::from_fn(|a| {
                    (position[a] * w.stride[a] + tap[a] * w.dilation[a]) as isize - w.before[a] as isize
                });
                if (0..3).any(|a| cell[a] < 0 || cell[a] >= w.input[a] as isize) {
                    continue;
                }
                let cell = cell.iter().zip(w.input).fold(0, |at, (&i, n)| at * n + i as usize);
                for f in 0..c.filters {
                    for i in 0..inner {
                        let channel = f / outer * inner + i;
                        body(
                            (n * w.cells() + cell) * c.channels + channel,
                            (k * inner + i) * c.filters + f,
                            (n * w.count() + o) * c.filters + f,
                        );
                    }
                }
            }
        }
    }
}

/// Fails, if the elements differ by more than rounding.
fn near<T: Number + Into<f64>>(
    what: &str,
    got: &Array,
    want: &[f64],
    tolerance: f64,
) -> Result<(), TestCaseError> {
    let got = got.to_vec::<T>().unwrap();
    prop_assert_eq!(got.len(), want.len());
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let g: f64 = g.into();
        prop_assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "{what}[{i}]: {g}, want {w}");
    }
    Ok(())
}

fn judge<T: Number + Into<f64>>(c: &Convolution, tolerance: f64) -> Result<(), TestCaseError> {
    let [x, w, g] = [(c.input_shape(), 1), (c.filter_shape(), 2), (c.output_shape(), 3)]
        .map(|(s, seed)| numbers(&s, seed));
    let bias = numbers(&[c.filters].into(), 5);
    let [xs, ws, gs, bs] = [&x, &w, &g, &bias].map(|a| a.to_vec::<f64>().unwrap());
    let mut y: Vec<f64> = (0..gs.len()).map(|i| bs[i % c.filters]).collect();
    let (mut by_x, mut by_w) = (vec![0.0; xs.len()], vec![0.0; ws.len()]);
    for_products(c, |i, j, k| {
        y[k] += xs[i] * ws[j];
        by_x[i] += gs[k] * ws[j];
        by_w[j] += gs[k] * xs[i];
    });
    y.iter_mut().for_each(|y| *y = y.max(0.0));
    let [x, w, g, bias] = [x, w, g, bias].map(|a| a.cast(T::DTYPE).unwrap());
    near::<T>("y", &conv(&x, &w, Some(&bias), FusedActivation::Relu, c).unwrap(), &y, tolerance)?;
    near::<T>("gradient to the input", &conv_input_grad(&g, &w, c).unwrap(), &by_x, tolerance)?;
    near::<T>("gradient to the filters", &conv_filter_grad(&x, &g, c).unwrap(), &by_w, tolerance)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, ..ProptestConfig::default() })]
    #[test]
    fn convolutions_by_the_definition(given in given()) {
        if let Some(c) = given.convolution() {
            judge::<f64>(&c, 1e-12)?;
            judge::<f32>(&c, 1e-4)?;
        }
    }

    #[test]
    fn patches_by_the_definition(given in given()) {
        let Some(mut c) = given.convolution() else { return Ok(()) };
        // The filters that pick one cell and channel each.
        (c.groups, c.filters) = (1, c.windows.area() * c.channels);
        let (x, g) = (numbers(&c.input_shape(), 1), numbers(&c.output_shape(), 2));
        let (xs, gs) = (x.to_vec::<f64>().unwrap(), g.to_vec::<f64>().unwrap());
        let (mut y, mut by_x) = (vec![0.0; gs.len()], vec![0.0; xs.len()]);
        for_products(&c, |i, j, k| {
            if j / c.filters == j % c.filters {
                y[k] += xs[i];
                by_x[i] += gs[k];
            }
        });
        near::<f64>("patches", &extract_patches(&x, &c.windows).unwrap(), &y, 0.0)?;
        near::<f64>("gradient", &extract_patches_grad(&g, &c.windows).unwrap(), &by_x, 1e-14)?;
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let (input, filters) = (Shape::from([6, 30, 29, 8]), Shape::from([3, 3, 8, 40]));
    for (groups, filters) in [(1, filters), (8, Shape::from([3, 3, 1, 16]))] {
        let c = Convolution::new("conv", &input, &filters, &[1], &[1], &Padding::Same, groups).unwrap();
        let [x, w, g] = [c.input_shape(), c.filter_shape(), c.output_shape()]
            .map(|shape| numbers(&shape, 3).cast(DType::F32).unwrap());
        let at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let y = conv(&x, &w, None, FusedActivation::Linear, &c).unwrap();
                [y, conv_input_grad(&g, &w, &c).unwrap(), conv_filter_grad(&x, &g, &c).unwrap()]
                    .map(|a| a.to_vec::<f32>().unwrap())
            })
        };
        let one = at(1);
        assert!([2, 3, 8].iter().all(|&threads| at(threads) == one));
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let new = |input: &[usize], filters: &[usize], stride, groups| {
        let padding = Padding::Valid;
        Convolution::new("conv2d", &input.into(), &filters.into(), &[stride], &[1], &padding, groups)
    };
    let kind = |result: Result<Convolution>| result.unwrap_err().kind();
    let c = new(&[1, 4, 4, 2], &[3, 3, 2, 5], 1, 1).unwrap();
    assert_eq!(kind(new(&[1, 4, 2], &[3, 3, 2, 5], 1, 1)), ErrorKind::Shape);
    assert_eq!(kind(new(&[1, 4, 4, 3], &[3, 3, 2, 5], 1, 1)), ErrorKind::Shape);
    assert_eq!(kind(new(&[1, 4, 4, 4], &[3, 3, 2, 5], 1, 2)), ErrorKind::Shape);
    assert_eq!(kind(new(&[1, 1, 4, 2], &[3, 3, 2, 5], 1, 1)), ErrorKind::Shape);
    assert_eq!(kind(new(&[1, 4, 4, 2], &[3, 3, 2, 5], 0, 1)), ErrorKind::Argument);
    assert_eq!(kind(new(&[1, 4, 4, 2], &[3, 0, 2, 5], 1, 1)), ErrorKind::Argument);
    assert_eq!(kind(new(&[1, 4, 4, 2], &[3, 3, 2, 5], 1, 0)), ErrorKind::Argument);
    let (x, w) = (numbers(&c.input_shape(), 0), numbers(&c.filter_shape(), 0));
    let kind = |result: Result<Array>| result.unwrap_err().kind();
    assert_eq!(kind(conv(&w, &w, None, FusedActivation::Linear, &c)), ErrorKind::Shape);
    assert_eq!(kind(conv(&x, &w, Some(&w), FusedActivation::Linear, &c)), ErrorKind::Shape);
    let single = w.cast(DType::F32).unwrap();
    assert_eq!(kind(conv(&x, &single, None, FusedActivation::Linear, &c)), ErrorKind::DType);
    let integers = x.cast(DType::I32).unwrap();
    assert_eq!(kind(conv(&integers, &w, None, FusedActivation::Linear, &c)), ErrorKind::DType);
}

#[test]
fn gradients_of_bias_and_relu() {
    for shape in [Shape::from([3000, 37]), [2, 3, 5].into(), [0, 4].into(), [4, 0].into(), [7].into()] {
        let (g, y) = (numbers(&shape, 1), numbers(&shape, 2));
        let columns = shape[shape.rank() - 1];
        let (gs, ys) = (g.to_vec::<f64>().unwrap(), y.to_vec::<f64>().unwrap());
        let by_x: Vec<f64> = gs.iter().zip(&ys).map(|(&g, &y)| if y > 0.0 { g } else { 0.0 }).collect();
        let by_bias: Vec<f64> = (0..columns).map(|k| by_x.iter().skip(k).step_by(columns).sum()).collect();
        let got = bias_relu_grad(&g, &y).unwrap();
        assert_eq!(got.0.to_vec::<f64>().unwrap(), by_x);
        // Quarters add up without rounding.
        assert_eq!(got.1.to_vec::<f64>().unwrap(), by_bias);
    }
}
