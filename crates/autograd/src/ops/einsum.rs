//! Sums of products in Einstein's notation, composed of matrix products.
use crate::ops::binary::{Multiply, binary};
use crate::ops::equation::{Equation, Label, Labels};
use crate::{AsTensor, Tensor};
use slalom_array::{DType, Error, ErrorKind, Result, Shape};
use smallvec::SmallVec;

/// A tensor and the names of its axes.
#[derive(Clone)]
struct Term {
    labels: Labels,
    tensor: Tensor,
}

impl Term {
    /// The operand of a label that repeats is read along its diagonal; axes of length 1 that others broadcast go.
    fn new(mut labels: Labels, mut tensor: Tensor, lengths: &Lengths) -> Result<Term> {
        while let Some((i, j)) = repeated(&labels) {
            let order: Vec<usize> = (0..labels.len()).filter(|&axis| axis != i && axis != j).collect();
            tensor = tensor.transpose(&[&order[..], &[i, j]].concat())?.diag_part(0)?;
            labels = order.iter().chain(&[i]).map(|&axis| labels[axis]).collect();
        }
        for axis in (0..labels.len()).rev() {
            if tensor.shape()[axis] != lengths.of(labels[axis]) {
                tensor = tensor.squeeze(axis as isize)?;
                labels.remove(axis);
            }
        }
        Ok(Term { labels, tensor })
    }

    /// Summed over the axes that nobody needs.
    fn summed(self, needed: impl Fn(Label) -> bool) -> Result<Term> {
        let axes: Vec<isize> =
            (0..self.labels.len()).filter(|&i| !needed(self.labels[i])).map(|i| i as isize).collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let tensor = self.tensor.sum_axes(&axes, false)?;
        Ok(Term { labels: self.labels.into_iter().filter(|&label| needed(label)).collect(), tensor })
    }

    /// The axes in the given order, of which this term may lack some: they have length 1 then.
    fn arranged(&self, order: &[Label]) -> Result<Tensor> {
        let place = |label: &Label| self.labels.iter().position(|own| own == label);
        let axes: Vec<usize> = order.iter().filter_map(place).collect();
        let shape: Shape =
            order.iter().map(|label| place(label).map_or(1, |axis| self.tensor.shape()[axis])).collect();
        let sorted = axes.iter().enumerate().all(|(i, &axis)| i == axis);
        let tensor = if sorted { self.tensor.clone() } else { self.tensor.transpose(&axes)? };
        reshaped(tensor, shape)
    }

    /// A batch of matrices: the axes of each group as one, but for the batch.
    fn matrices(
        &self,
        batch: &[Label],
        rows: &[Label],
        columns: &[Label],
        lengths: &Lengths,
    ) -> Result<Tensor> {
        let order = [batch, rows, columns].concat();
        let sizes = [lengths.product(rows), lengths.product(columns)];
        let shape: Shape = batch.iter().map(|&label| lengths.of(label)).chain(sizes).collect();
        reshaped(self.arranged(&order)?, shape)
    }
}

fn reshaped(tensor: Tensor, shape: Shape) -> Result<Tensor> {
    if *tensor.shape() == shape { Ok(tensor) } else { tensor.reshape(shape) }
}

/// Two axes of the same label.
fn repeated(labels: &[Label]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|j| labels[..j].iter().position(|label| *label == labels[j]).map(|i| (i, j)))
}

/// The length of each label's axes.
struct Lengths(Vec<(Label, usize)>);

impl Lengths {
    /// Axes of one letter are equally long; those under the ellipsis broadcast.
    fn new<'a>(inputs: &[Labels], shapes: impl Iterator<Item = &'a Shape>) -> Result<Lengths> {
        let mut lengths: Vec<(Label, usize)> = Vec::new();
        for (&label, &n) in inputs.iter().flatten().zip(shapes.flat_map(|shape| shape.iter())) {
            let Some((_, known)) = lengths.iter_mut().find(|(other, _)| *other == label) else {
                lengths.push((label, n));
                continue;
            };
            match label {
                _ if *known == n => {}
                Label::Ellipsis(_) if *known == 1 => *known = n,
                Label::Ellipsis(_) if n == 1 => {}
                _ => {
                    let expected = format!("axes {label:?} of one length");
                    return Err(Error::new(ErrorKind::Shape, "einsum", expected, format!("{known} and {n}")));
                }
            }
        }
        Ok(Lengths(lengths))
    }

    fn of(&self, label: Label) -> usize {
        self.0.iter().find(|(other, _)| *other == label).map_or(1, |(_, n)| *n)
    }

    fn product(&self, labels: &[Label]) -> usize {
        labels.iter().map(|&label| self.of(label)).product()
    }

    /// The number of elements, which may be more than memory could hold.
    fn size(&self, labels: &[Label]) -> f64 {
        labels.iter().map(|&label| self.of(label) as f64).product()
    }
}

/// The product of two terms, summed over the labels that only they have: a batch of matrix products.
fn contract(a: &Term, b: &Term, needed: impl Fn(Label) -> bool, lengths: &Lengths) -> Result<Term> {
    let pick = |from: &Term, f: &dyn Fn(Label) -> bool| -> Labels {
        from.labels.iter().copied().filter(|&label| f(label)).collect()
    };
    let (in_a, in_b) = (|label| a.labels.contains(&label), |label| b.labels.contains(&label));
    let batch = pick(a, &|label| in_b(label) && needed(label));
    let (left, right) = (pick(a, &|label| !in_b(label)), pick(b, &|label| !in_a(label)));
    // The larger operand says in which order its summed axes follow, so that it need not be copied.
    let summed = match a.tensor.len() >= b.tensor.len() {
        true => pick(a, &|label| in_b(label) && !needed(label)),
        false => pick(b, &|label| in_a(label) && !needed(label)),
    };
    let labels: Labels = [&batch[..], &left, &right].concat().into();
    if summed.is_empty() {
        let tensor = binary(Multiply, &a.arranged(&labels)?, &b.arranged(&labels)?)?;
        return Ok(Term { labels, tensor });
    }
    let rows = a.matrices(&batch, &left, &summed, lengths)?;
    let columns = b.matrices(&batch, &summed, &right, lengths)?;
    let shape: Shape = labels.iter().map(|&label| lengths.of(label)).collect();
    Ok(Term { tensor: reshaped(rows.matmul(columns)?, shape)?, labels })
}

/// The pair whose product frees most memory, the first one of equals.
fn cheapest(terms: &[Term], output: &[Label], lengths: &Lengths) -> (usize, usize) {
    let mut best = (f64::INFINITY, (0, 1));
    for j in 1..terms.len() {
        for i in 0..j {
            let needed = needed_beside(terms, output, [i, j]);
            let (a, b) = (&terms[i].labels, &terms[j].labels);
            let of_b = b.iter().filter(|label| !a.contains(label));
            let result: Labels = a.iter().chain(of_b).copied().filter(|&label| needed(label)).collect();
            let cost = lengths.size(&result) - lengths.size(a) - lengths.size(b);
            if cost < best.0 {
                best = (cost, (i, j));
            }
        }
    }
    best.1
}

/// Whether a label is in the output, or in a term other than these.
fn needed_beside<'a, const N: usize>(
    terms: &'a [Term],
    output: &'a [Label],
    beside: [usize; N],
) -> impl Fn(Label) -> bool + 'a {
    move |label| {
        let others = terms.iter().enumerate().filter(|(i, _)| !beside.contains(i));
        output.contains(&label) || others.into_iter().any(|(_, term)| term.labels.contains(&label))
    }
}

/// The term in the order of the output; a label that repeats there lies on a diagonal.
fn finished(term: &Term, output: &[Label], lengths: &Lengths) -> Result<Tensor> {
    let mut unique = Labels::new();
    unique.extend(output.iter().enumerate().filter(|(i, l)| !output[..*i].contains(l)).map(|(_, l)| *l));
    let mut tensor = term.arranged(&unique)?;
    for (axis, label) in output.iter().enumerate() {
        let first = output.iter().position(|other| other == label).expect("a label of the output");
        if first == axis {
            continue;
        }
        let n = lengths.of(*label);
        let wide = tensor.shape().with(axis, n);
        let mask: Shape = (0..wide.rank()).map(|i| if i == first || i == axis { n } else { 1 }).collect();
        let on_diagonal = Tensor::eye(n, n, DType::Bool)?.reshape(mask)?;
        let zero = tensor.like("einsum", 0.0)?;
        tensor = on_diagonal.where_(tensor.expand_dims(axis as isize)?.broadcast_to(wide)?, zero)?;
    }
    Ok(tensor)
}

/// Sums of products in Einstein's notation (`tf.einsum`): each letter of the equation names an axis, and what the output
/// does not name is summed over.
///
/// - `"ij,jk->ik"` is the matrix product, `"bij,bjk->bik"` that of a batch, `"i,j->ij"` the outer product, `"ij->ji"` the
///   transpose, `"ij->i"` a sum of each row.
/// - A letter twice in one term is a diagonal: `"ii->i"`, and `"ii->"` the trace; twice in the output, it is placed on one:
///   `"i->ii"`.
/// - `...` stands for any number of axes, which broadcast; without it in the output they are summed.
/// - Without `->` the output has the axes under the ellipsis, then the letters that appear once, in the order of the
///   alphabet.
///
/// Axes of one letter are of one length. Spaces mean nothing. Products are taken two at a time, in the order that keeps
/// intermediate results small (the pair whose product frees most memory first), as batched matrix products of
/// transposed views.
///
/// # Errors
/// [`ErrorKind::Argument`], if the equation cannot be read or does not fit the number of operands;
/// [`ErrorKind::Shape`], if the operands' shapes do not fit it; [`ErrorKind::DType`], if their types differ, or are
/// booleans that would have to be multiplied.
///
/// ```
/// use slalom_autograd::{Tensor, einsum};
/// let a = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
/// let x = Tensor::from_vec([2], vec![1.0f32, -1.0])?;
/// assert_eq!(einsum("ij,j->i", &[&a, &x])?.to_vec::<f32>()?, [-1.0, -1.0]);
/// assert_eq!(einsum("i,ij,j->", &[&x, &a, &x])?.item()?, 0.0);
/// assert_eq!(einsum("...ii", &[&a])?.item()?, 5.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn einsum<T: AsTensor>(equation: &str, operands: &[T]) -> Result<Tensor> {
    let operands: SmallVec<[_; 4]> = operands.iter().map(|operand| operand.as_tensor()).collect();
    if let Some(other) = operands.iter().find(|x| x.dtype() != operands[0].dtype()) {
        let got = format!("{} and {}", operands[0].dtype(), other.dtype());
        return Err(Error::new(ErrorKind::DType, "einsum", "operands of one dtype", got));
    }
    let ranks: SmallVec<[usize; 4]> = operands.iter().map(|operand| operand.rank()).collect();
    let Equation { inputs, output } = Equation::parse(equation, &ranks)?;
    let lengths = Lengths::new(&inputs, operands.iter().map(|operand| operand.shape()))?;
    let mut terms = Vec::new();
    for (labels, operand) in inputs.into_iter().zip(operands) {
        terms.push(Term::new(labels, operand.into_owned(), &lengths)?);
    }
    for i in 0..terms.len() {
        terms[i] = terms[i].clone().summed(needed_beside(&terms, &output, [i]))?;
    }
    while terms.len() > 1 {
        let (i, j) = cheapest(&terms, &output, &lengths);
        let product = contract(&terms[i], &terms[j], needed_beside(&terms, &output, [i, j]), &lengths)?;
        terms.remove(j);
        terms[i] = product;
    }
    finished(&terms[0], &output, &lengths)
}
