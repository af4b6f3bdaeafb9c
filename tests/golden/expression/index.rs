//! `x[1:, ..., None, -1]` and `index(x, spec)`.
use crate::expression::Object;
use crate::runner::Failure;
use slalom_autograd::Tensor;

/// One item of a subscript.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Item {
    At(isize),
    /// start, stop, step
    Range([Option<isize>; 3]),
    Ellipsis,
    NewAxis,
}

/// The items of a spec: `[start, stop, step]` (the last may be left out), an integer, `"..."` or `"newaxis"`.
pub(crate) fn parse(spec: &Object) -> Result<Vec<Item>, Failure> {
    let item = |item: &Object| match item {
        Object::Integer(at) => Ok(Item::At(*at as isize)),
        Object::Text(text) if text == "..." => Ok(Item::Ellipsis),
        Object::Text(text) if text == "newaxis" => Ok(Item::NewAxis),
        Object::List(parts) if (1..=3).contains(&parts.len()) => {
            let mut bounds = [None; 3];
            for (bound, part) in bounds.iter_mut().zip(parts) {
                *bound = match part {
                    Object::None => None,
                    part => Some(part.integer()? as isize),
                };
            }
            Ok(Item::Range(bounds))
        }
        other => Err(format!("not an index: {other}").into()),
    };
    spec.list()?.iter().map(item).collect()
}

/// Python's `range` of a slice over `length` elements: first, how many, step.
fn range([start, stop, step]: [Option<isize>; 3], length: usize) -> Result<(usize, usize, isize), Failure> {
    let (step, length) = (step.unwrap_or(1), length as isize);
    if step == 0 {
        return Err("a step of 0".into());
    }
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |at: isize| (if at < 0 { at + length } else { at }).clamp(low, high);
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let (start, stop) = (start.map_or(first, clamp), stop.map_or(last, clamp));
    let count = if step > 0 { (stop - start + step - 1) / step } else { (start - stop - step - 1) / -step };
    let count = count.max(0) as usize;
    Ok((if count == 0 { 0 } else { start as usize }, count, step))
}

/// The elements of `x` that the items pick.
pub(crate) fn index(x: Tensor, items: &[Item]) -> Result<Tensor, Failure> {
    let taken = items.iter().filter(|item| matches!(item, Item::At(_) | Item::Range(_))).count();
    let skipped = x.rank().checked_sub(taken).ok_or("more indices than axes")?;
    let (mut x, mut axis) = (x, 0);
    for item in items {
        match *item {
            Item::Ellipsis => axis += skipped as isize,
            Item::NewAxis => {
                x = x.expand_dims(axis)?;
                axis += 1;
            }
            Item::At(at) => {
                let length = x.shape()[axis as usize] as isize;
                let at = if at < 0 { at + length } else { at };
                let at = usize::try_from(at).map_err(|_| "an index out of range")?;
                x = x.slice(axis, at, 1)?.squeeze(axis)?;
            }
            Item::Range(bounds) => {
                let (start, count, step) = range(bounds, x.shape()[axis as usize])?;
                x = x.slice_by(axis, start, count, step)?;
                axis += 1;
            }
        }
    }
    Ok(x)
}
