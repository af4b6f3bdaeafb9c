//! Functions that move elements: shapes, slices, indices.
use super::{Function, pair};
use crate::expression::index::{self, Item};
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_array::Result;
use slalom_autograd::{Tensor, concat, stack};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("index", |a| {
        let x = a.tensor("x")?;
        Ok(index::index(x, &index::parse(&a.take("spec")?)?)?.into())
    }),
    ("tf.expand_dims", |a| Ok(a.tensor("input")?.expand_dims(a.integer("axis")? as isize)?.into())),
    ("tf.concat", |a| Ok(concat(&a.tensors("values")?, a.integer("axis")? as isize)?.into())),
    ("tf.stack", |a| Ok(stack(&a.tensors("values")?, a.integer_or("axis", 0)? as isize)?.into())),
    ("tf.unstack", |a| {
        let x = a.tensor("value")?;
        Ok(x.unstack(a.integer_or("axis", 0)? as isize)?.into())
    }),
    ("tf.split", split),
    ("tf.slice", slice),
    ("tf.tile", |a| Ok(a.tensor("input")?.tile(&lengths(&a.integers("multiples")?)?)?.into())),
    ("tf.reverse", |a| Ok(a.tensor("tensor")?.reverse(&a.integers("axis")?)?.into())),
    ("tf.pad", pad),
    ("tf.gather", gather),
    ("tf.nn.embedding_lookup", |a| pair(a, |table, ids| table.gather(ids, 0))),
    ("tf.transpose", transpose),
    ("tf.squeeze", squeeze),
    ("tf.reshape", reshape),
    ("tf.broadcast_to", |a| {
        let x = a.tensor("input")?;
        Ok(x.broadcast_to(lengths(&a.integers("shape")?)?)?.into())
    }),
];

/// Axis lengths, none of them negative.
fn lengths(given: &[isize]) -> Result<Vec<usize>, Failure> {
    given.iter().map(|&n| usize::try_from(n).map_err(|_| "a negative length".into())).collect()
}

fn gather(args: &mut Arguments) -> Result<Object, Failure> {
    let (params, indices) = (args.tensor("params")?, args.take("indices")?);
    let indices = match indices {
        Object::List(_) => {
            let indices = indices.integers()?;
            Tensor::from_vec([indices.len()], indices.into_iter().map(|i| i as i64).collect())?
        }
        other => other.tensor()?,
    };
    let axis = args.integer_or("axis", 0)? as isize;
    Ok(match args.integer_or("batch_dims", 0)? as usize {
        0 => params.gather(&indices, axis)?,
        batch_dims => params.gather_batched(&indices, axis, batch_dims)?,
    }
    .into())
}

/// The axes in reverse, or in the order given.
fn transpose(args: &mut Arguments) -> Result<Object, Failure> {
    let x = args.tensor("a")?;
    let order = match args.optional("perm") {
        None => (0..x.rank()).rev().collect(),
        Some(order) => lengths(&order.integers()?)?,
    };
    Ok(x.transpose(&order)?.into())
}

/// Without the axes given, else without all of length 1.
fn squeeze(args: &mut Arguments) -> Result<Object, Failure> {
    let mut x = args.tensor("input")?;
    let mut axes = match args.axes("axis")? {
        None => (0..x.rank()).filter(|&i| x.shape()[i] == 1).collect(),
        Some(axes) => axes.iter().map(|&axis| x.shape().axis(axis)).collect::<Result<Vec<_>>>()?,
    };
    axes.sort_unstable();
    for axis in axes.into_iter().rev() {
        x = x.squeeze(axis as isize)?;
    }
    Ok(x.into())
}

/// To a shape of which one length may be -1: what is left.
fn reshape(args: &mut Arguments) -> Result<Object, Failure> {
    let (x, mut shape) = (args.tensor("tensor")?, args.integers("shape")?);
    let known: isize = shape.iter().filter(|&&n| n != -1).product();
    for n in shape.iter_mut().filter(|n| **n == -1) {
        *n = x.len() as isize / known.max(1);
    }
    Ok(x.reshape(lengths(&shape)?)?.into())
}

/// Into a number of equal parts, or parts of the lengths given.
fn split(args: &mut Arguments) -> Result<Object, Failure> {
    let (x, parts) = (args.tensor("value")?, args.take("num_or_size_splits")?);
    let axis = args.integer_or("axis", 0)? as isize;
    let sizes = match parts {
        Object::Integer(count) => {
            let (length, count) = (x.shape()[x.shape().axis(axis)?], count as usize);
            vec![length / count; count]
        }
        sizes => lengths(&sizes.integers()?)?,
    };
    Ok(x.split(&sizes, axis)?.into())
}

/// `size` elements of each axis from `begin` on; -1 is the rest.
fn slice(args: &mut Arguments) -> Result<Object, Failure> {
    let x = args.tensor("input")?;
    let (begin, size) = (args.integers("begin")?, args.integers("size")?);
    let range = |(begin, size)| Item::Range([Some(begin), (size >= 0).then_some(begin + size), None]);
    let items: Vec<Item> = begin.into_iter().zip(size).map(range).collect();
    Ok(index::index(x, &items)?.into())
}

/// With a constant or mirrored elements around it.
fn pad(args: &mut Arguments) -> Result<Object, Failure> {
    let (x, paddings) = (args.tensor("tensor")?, args.take("paddings")?);
    let pair = |pair: &Object| {
        <[usize; 2]>::try_from(lengths(&pair.integers()?)?).map_err(|_| Failure::from("paddings are pairs"))
    };
    let paddings = paddings.list()?.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let mode = args.optional("mode");
    let value = args.float_or("constant_values", 0.0)?;
    Ok(match mode {
        None => x.pad(&paddings, value)?,
        Some(Object::Text(mode)) if mode == "REFLECT" => x.pad_reflect(&paddings)?,
        Some(Object::Text(mode)) if mode == "SYMMETRIC" => x.pad_symmetric(&paddings)?,
        Some(other) => return Err(format!("not a mode: {other}").into()),
    }
    .into())
}
