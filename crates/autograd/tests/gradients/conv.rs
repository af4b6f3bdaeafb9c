//! Rows of convolutions, pooling and images.
use crate::cases::{Domain, Random};
use crate::table::{Row, drawn};
use slalom_array::{FusedActivation, Result};
use slalom_autograd::{ConvOptions, Interpolation, Padding, Tensor};

const ANY: Domain = Domain::Between(-1.0, 1.0);

/// The numbers of a case, the same for its inputs and for its function: they follow from the case's number alone.
struct Case {
    spatial: usize,
    size: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    padding: Padding,
    groups: usize,
}

impl Case {
    fn new(number: usize) -> Case {
        let mut random = Random::new(number as u64);
        let spatial = [1, 1, 2, 2, 2, 3][random.below(6)];
        let mut list = |n: usize| -> Vec<usize> { (0..spatial).map(|_| 1 + random.below(n)).collect() };
        let (size, strides, dilations) = (list(if spatial == 3 { 2 } else { 3 }), list(2), list(2));
        let padding = match random.below(3) {
            0 => Padding::Valid,
            1 => Padding::Same,
            _ => Padding::Explicit((0..spatial).map(|_| [random.below(2), random.below(2)]).collect()),
        };
        Case { spatial, size, strides, dilations, padding, groups: 1 + random.below(2) }
    }

    fn options(&self) -> ConvOptions {
        ConvOptions::new().strides(&self.strides).dilations(&self.dilations).padding(self.padding.clone())
    }

    /// Lengths of spatial axes that the windows fit in, or, padded to the same length, sometimes not.
    fn lengths(&self, random: &mut Random) -> Vec<usize> {
        let span = |i: usize| (self.size[i] - 1) * self.dilations[i] + 1;
        let more = [5, 3, 2][self.spatial - 1];
        let short = self.padding == Padding::Same && random.below(3) == 0;
        let length = |i| if short { 1 + random.below(span(i)) } else { span(i) + random.below(more) };
        (0..self.spatial).map(length).collect()
    }

    fn input(&self, random: &mut Random, number: usize, domain: Domain) -> Tensor {
        let channels = self.groups * (1 + number % 2);
        let lengths = self.lengths(random);
        // As many as a check of second derivatives can do with.
        let most = (48 / (channels * lengths.iter().product::<usize>())).clamp(1, 3);
        let mut shape = [vec![1 + random.below(most)], lengths, vec![channels]].concat();
        // The batch, the first spatial axis or the channels may be long.
        let axis = [0, 1, shape.len() - 1][number % 3];
        shape[axis] *= random.length(1, shape.iter().product());
        if number == 1 {
            shape[0] = 0;
        }
        domain.tensor(random, &shape)
    }

    /// The input and the filters: so many for each group, or, depthwise, so many for each channel.
    fn convolution(random: &mut Random, number: usize, depthwise: bool) -> Vec<Tensor> {
        let case = Case::new(number);
        let x = case.input(random, number, ANY);
        let channels = x.shape()[x.rank() - 1];
        let outer = random.side(2, (20_000 / channels.max(1)).clamp(2, 300));
        let ends = match depthwise {
            true => [channels, outer],
            false => [channels / case.groups, outer * case.groups],
        };
        let w = ANY.tensor(random, &[case.size, ends.to_vec()].concat());
        let bias = ANY.tensor(random, &[w.shape()[w.rank() - 1]]);
        if depthwise || number.is_multiple_of(2) { vec![x, w] } else { vec![x, w, bias] }
    }
}

fn transposed(random: &mut Random, number: usize) -> Vec<Tensor> {
    let inputs = Case::convolution(random, number, false);
    let case = Case::new(number);
    let y = inputs[0].convolution(&inputs[1], &case.options().groups(case.groups)).unwrap();
    // Of the shape of the result, which that of the input does not tell.
    let result = Tensor::scalar(0i64).broadcast_to(inputs[0].shape()).unwrap();
    vec![ANY.tensor(random, y.shape()), inputs[1].clone(), result]
}

fn conv_transpose(x: &[Tensor], number: usize) -> Result<Tensor> {
    let case = Case::new(number);
    x[0].conv_transpose(&x[1], x[2].shape(), &case.options().groups(case.groups))
}

pub(crate) fn rows() -> Vec<Row> {
    let distinct = |random: &mut Random, number: usize| {
        vec![Case { groups: 1, ..Case::new(number) }.input(random, number, Domain::Distinct)]
    };
    let any =
        |random: &mut Random, number: usize| vec![Case::new(number).input(random, number, ANY).square()];
    vec![
        drawn(
            "convolution",
            |random, number| Case::convolution(random, number, false),
            |x, number| {
                let case = Case::new(number);
                let activation =
                    if number % 3 == 0 { FusedActivation::Relu } else { FusedActivation::Linear };
                x[0].convolution_with(&x[1], x.get(2), activation, &case.options().groups(case.groups))
            },
        ),
        drawn("conv_transpose", transposed, conv_transpose),
        drawn(
            "depthwise_conv",
            |random, number| Case::convolution(random, number, true),
            |x, number| x[0].depthwise_conv(&x[1], &Case::new(number).options()),
        ),
        drawn("separable_conv", separable, |x, number| {
            x[0].separable_conv(&x[1], &x[2], &Case::new(number).options())
        }),
        drawn(
            "conv1d, conv2d and conv3d",
            |random, number| Case::convolution(random, number, false),
            |x, number| {
                let case = Case::new(number);
                let options = case.options().groups(case.groups);
                match case.spatial {
                    1 => x[0].conv1d(&x[1], &options),
                    2 => x[0].conv2d(&x[1], &options),
                    _ => x[0].conv3d(&x[1], &options),
                }
            },
        ),
        drawn("max_pool", distinct, |x, number| {
            let case = Case::new(number);
            Ok(x[0].square().max_pool(&case.size, &case.strides, &pooled(&case))?.square())
        }),
        drawn("avg_pool", any, |x, number| {
            let case = Case::new(number);
            x[0].square().avg_pool(&case.size, &case.strides, &pooled(&case))
        }),
        drawn("extract_patches", any, |x, number| {
            let case = Case::new(number);
            x[0].square().extract_patches(&case.size, &case.strides, &case.dilations, &case.padding)
        }),
        drawn("resize", any, |x, number| {
            let interpolation = [Interpolation::Bilinear, Interpolation::Nearest][number % 2];
            x[0].square().resize(1, 1 + number % 5, interpolation)
        }),
    ]
}

/// An input, filters for each channel, and filters that mix the channels.
fn separable(random: &mut Random, number: usize) -> Vec<Tensor> {
    let mut inputs = Case::convolution(random, number, true);
    let window = &inputs[1].shape()[..];
    let (spatial, channels) = (window.len() - 2, window[window.len() - 2] * window[window.len() - 1]);
    let mixing = [vec![1; spatial], vec![channels, 2]].concat();
    inputs.push(ANY.tensor(random, &mixing));
    inputs
}

/// Windows must not lie in the padding.
fn pooled(case: &Case) -> Padding {
    match &case.padding {
        Padding::Explicit(_) => Padding::Same,
        other => other.clone(),
    }
}
