//! Functions that pick and place by index, segments, sorting.
use super::Function;
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_array::Result;
use slalom_autograd::{Direction, Indexing, Tensor, dynamic_stitch, meshgrid, scatter_nd};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.gather_nd", |a| {
        let (x, indices) = (a.tensor("params")?, a.tensor("indices")?);
        Ok(x.gather_nd(indices, a.integer_or("batch_dims", 0)? as usize)?.into())
    }),
    ("tf.boolean_mask", |a| {
        let (x, mask) = (a.tensor("tensor")?, a.tensor("mask")?);
        Ok(x.boolean_mask(mask, a.integer_or("axis", 0)? as isize)?.into())
    }),
    ("tf.one_hot", |a| {
        let (indices, depth) = (a.tensor("indices")?, a.integer("depth")? as usize);
        Ok(indices.one_hot(depth, a.dtype("dtype")?)?.into())
    }),
    ("tf.scatter_nd", |a| {
        let (indices, updates) = (a.tensor("indices")?, a.tensor("updates")?);
        let shape: Vec<usize> = a.integers("shape")?.into_iter().map(|n| n as usize).collect();
        Ok(scatter_nd(indices, updates, shape)?.into())
    }),
    ("tf.tensor_scatter_nd_add", |a| scatter(a, |x, i, u| x.tensor_scatter_nd_add(i, u))),
    ("tf.tensor_scatter_nd_sub", |a| scatter(a, |x, i, u| x.tensor_scatter_nd_sub(i, u))),
    ("tf.tensor_scatter_nd_update", |a| scatter(a, |x, i, u| x.tensor_scatter_nd_update(i, u))),
    ("tf.tensor_scatter_nd_min", |a| scatter(a, |x, i, u| x.tensor_scatter_nd_min(i, u))),
    ("tf.tensor_scatter_nd_max", |a| scatter(a, |x, i, u| x.tensor_scatter_nd_max(i, u))),
    ("tf.dynamic_stitch", |a| {
        let indices = a.take("indices")?;
        let indices = indices.list()?.iter().map(integers).collect::<Result<Vec<_>, Failure>>()?;
        Ok(dynamic_stitch(&indices, &a.tensors("data")?)?.into())
    }),
    ("tf.math.segment_sum", |a| segments(a, |x, ids| x.segment_sum(ids))),
    ("tf.math.segment_mean", |a| segments(a, |x, ids| x.segment_mean(ids))),
    ("tf.math.segment_min", |a| segments(a, |x, ids| x.segment_min(ids))),
    ("tf.math.segment_max", |a| segments(a, |x, ids| x.segment_max(ids))),
    ("tf.math.unsorted_segment_sum", |a| unsorted(a, |x, ids, n| x.unsorted_segment_sum(ids, n))),
    ("tf.math.unsorted_segment_mean", |a| unsorted(a, |x, ids, n| x.unsorted_segment_mean(ids, n))),
    ("tf.math.unsorted_segment_sqrt_n", |a| unsorted(a, |x, ids, n| x.unsorted_segment_sqrt_n(ids, n))),
    ("tf.math.unsorted_segment_min", |a| unsorted(a, |x, ids, n| x.unsorted_segment_min(ids, n))),
    ("tf.math.unsorted_segment_max", |a| unsorted(a, |x, ids, n| x.unsorted_segment_max(ids, n))),
    ("tf.math.unsorted_segment_prod", |a| unsorted(a, |x, ids, n| x.unsorted_segment_prod(ids, n))),
    ("tf.sort", sort),
    ("tf.math.top_k", |a| {
        let (values, places) = a.tensor("input")?.top_k(a.integer("k")? as usize)?;
        Ok(vec![values, places].into())
    }),
    ("tf.repeat", |a| {
        let (x, repeats) = (a.tensor("input")?, a.integers("repeats")?);
        let repeats: Vec<usize> = repeats.into_iter().map(|n| n as usize).collect();
        Ok(match a.axes("axis")? {
            None => x.reshape([x.len()])?.repeat(&repeats, 0)?,
            Some(axes) => x.repeat(&repeats, axes[0])?,
        }
        .into())
    }),
    ("tf.roll", |a| Ok(a.tensor("input")?.roll(&a.integers("shift")?, &a.integers("axis")?)?.into())),
    ("tf.reverse_sequence", |a| {
        let (x, lengths) = (a.tensor("input")?, a.tensor("seq_lengths")?);
        let (along, batch) = (a.integer("seq_axis")? as isize, a.integer_or("batch_axis", 0)? as isize);
        Ok(x.reverse_sequence(lengths, along, batch)?.into())
    }),
    ("tf.meshgrid", |a| {
        let tensors = a.positional.drain(..).map(|x| x.tensor()).collect::<Result<Vec<_>, _>>()?;
        Ok(meshgrid(&tensors, Indexing::Xy)?.into())
    }),
    ("tf.nn.depth_to_space", |a| Ok(a.tensor("input")?.depth_to_space(a.integer("block")? as usize)?.into())),
    ("tf.nn.space_to_depth", |a| Ok(a.tensor("input")?.space_to_depth(a.integer("block")? as usize)?.into())),
];

fn integers(list: &Object) -> Result<Tensor, Failure> {
    let integers: Vec<i64> = list.integers()?.into_iter().map(|i| i as i64).collect();
    Ok(Tensor::from_vec([integers.len()], integers)?)
}

fn scatter(
    args: &mut Arguments,
    op: fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Object, Failure> {
    let (x, indices) = (args.tensor("tensor")?, args.tensor("indices")?);
    Ok(op(&x, &indices, &args.tensor("updates")?)?.into())
}

fn segments(args: &mut Arguments, op: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Object, Failure> {
    Ok(op(&args.tensor("data")?, &args.tensor("segment_ids")?)?.into())
}

fn unsorted(
    args: &mut Arguments,
    op: fn(&Tensor, &Tensor, usize) -> Result<Tensor>,
) -> Result<Object, Failure> {
    let (x, ids) = (args.tensor("data")?, args.tensor("segment_ids")?);
    Ok(op(&x, &ids, args.integer("num_segments")? as usize)?.into())
}

fn sort(args: &mut Arguments) -> Result<Object, Failure> {
    let (x, axis) = (args.tensor("values")?, args.integer_or("axis", -1)? as isize);
    let direction = match args.optional("direction") {
        Some(Object::Text(text)) if text == "DESCENDING" => Direction::Descending,
        Some(Object::Text(text)) if text == "ASCENDING" => Direction::Ascending,
        None => Direction::Ascending,
        Some(other) => return Err(format!("not a direction: {other}").into()),
    };
    Ok(x.sort(axis, direction)?.into())
}
