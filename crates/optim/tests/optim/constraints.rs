//! Constraints within training: what the reference's formulas make of each update, and rows of sparse gradients.
use slalom_array::{Array, DType, ErrorKind, Generator, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::rules::{Adam, Sgd};
use slalom_variable::Variable;
use slalom_variable::constraints::{Constraint, MaxNorm, MinMaxNorm, NonNeg, RowWise, UnitNorm};

/// A variable with a constraint, and what the reference makes of a column.
type Case = (fn(Variable) -> Variable, fn(&mut [f64]));

fn norm(column: &[f64]) -> f64 {
    column.iter().map(|w| w * w).sum::<f64>().sqrt()
}

fn scale(column: &mut [f64], to: f64) {
    let norm = norm(column);
    column.iter_mut().for_each(|w| *w *= to / (1e-7 + norm));
}

/// After each of 100,000 random steps the value is what the formula makes of the update, `w · clip(‖w‖) / (1e-7 + ‖w‖)`.
#[test]
fn constraints_hold_after_100_000_steps() -> Result<()> {
    const SHAPE: [usize; 2] = [3, 4];
    let cases: [Case; 4] = [
        (|v| v.constrained(NonNeg), |column| column.iter_mut().for_each(|w| *w = w.max(0.0))),
        (|v| v.constrained(MaxNorm::new(0.75)), |column| scale(column, norm(column).min(0.75))),
        (|v| v.constrained(UnitNorm::new()), |column| scale(column, 1.0)),
        (|v| v.constrained(MinMaxNorm::new(0.5, 1.5)), |column| scale(column, norm(column).clamp(0.5, 1.5))),
    ];
    let random = Generator::from_seed(1);
    let variables =
        cases.each_ref().map(|case| case.0(Variable::new(Array::full(SHAPE, 0.5, DType::F64).unwrap())));
    let mut opt = Optimizer::new(Sgd::new(0.25))?;
    let mut values = vec![vec![0.5; 12]; 4];
    let mut noise = vec![0.0f64; 12];
    for step in 0..100_000 {
        random.normal(0.0, 1.0, &mut noise);
        let gradient = Tensor::from_vec(SHAPE, noise.clone())?;
        opt.apply_gradients(variables.iter().map(|v| (Gradient::Dense(gradient.clone()), v)))?;
        for ((variable, (_, formula)), value) in variables.iter().zip(&cases).zip(&mut values) {
            value.iter_mut().zip(&noise).for_each(|(w, g)| *w -= 0.25 * g);
            for j in 0..4 {
                let mut column = [value[j], value[4 + j], value[8 + j]];
                formula(&mut column);
                (value[j], value[4 + j], value[8 + j]) = (column[0], column[1], column[2]);
            }
            let got = variable.array().to_vec::<f64>()?;
            for (got, want) in got.iter().zip(&*value) {
                assert!((got - want).abs() <= 1e-12, "step {step}: expected {want}, got {got}");
            }
            *value = got;
        }
    }
    Ok(())
}

fn rows(indices: &[i64], values: Vec<f64>) -> Result<Gradient> {
    let values = Tensor::from_vec([indices.len(), 2], values)?;
    let indices = Tensor::from_vec([indices.len()], indices.to_vec())?;
    Ok(IndexedSlices::new(indices, values, [4, 2])?.into())
}

fn table(constraint: impl Constraint + 'static) -> Result<Variable> {
    Ok(Variable::new(Array::full([4, 2], 0.5, DType::F64)?).named("table").constrained(constraint))
}

/// Only rows that have moved are constrained, as often as they move; 100,000 random steps leave the others as they are.
#[test]
fn rows_of_sparse_gradients_are_constrained() -> Result<()> {
    let w = table(RowWise::new(UnitNorm::new().axis(&[1]))?)?;
    let mut opt = Optimizer::new(Sgd::new(0.25))?;
    let random = Generator::from_seed(2);
    let mut noise = vec![0.0f64; 6];
    let mut want = vec![0.5; 8];
    for _ in 0..100_000 {
        random.normal(0.0, 1.0, &mut noise);
        // Row 2 comes twice, row 0 never.
        opt.apply_gradients([(rows(&[2, 1, 2], noise.clone())?, &w)])?;
        for (row, parts) in [(1, vec![2]), (2, vec![0, 4])] {
            let mut own = [want[2 * row], want[2 * row + 1]];
            for part in parts {
                own = [own[0] - 0.25 * noise[part], own[1] - 0.25 * noise[part + 1]];
            }
            scale(&mut own, 1.0);
            want[2 * row..2 * row + 2].copy_from_slice(&own);
        }
        let got = w.array().to_vec::<f64>()?;
        assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= 1e-12), "{got:?}, {want:?}");
        want = got;
    }
    assert_eq!((&want[..2], &want[6..]), (&[0.5; 2][..], &[0.5; 2][..]));
    Ok(())
}

/// A rule that moves all rows has all of them constrained, and dense gradients are those of all rows.
#[test]
fn all_rows_are_constrained_where_all_move() -> Result<()> {
    for dense in [false, true] {
        let (w, free) = (
            table(RowWise::new(MaxNorm::new(0.25).axis(&[-1]))?)?,
            Variable::new(Array::full([4, 2], 0.5, DType::F64)?),
        );
        let gradient = || -> Result<Gradient> {
            let slices = rows(&[1], vec![1.0, -2.0])?;
            Ok(if dense { Gradient::Dense(slices.to_dense()?) } else { slices })
        };
        Optimizer::new(Adam::new(0.125))?.apply_gradients([(gradient()?, &w)])?;
        Optimizer::new(Adam::new(0.125))?.apply_gradients([(gradient()?, &free)])?;
        let mut want = free.array().to_vec::<f64>()?;
        want.chunks_mut(2).for_each(|row| scale(row, norm(row).min(0.25)));
        let got = w.array().to_vec::<f64>()?;
        assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-15), "{got:?}, {want:?}");
    }
    Ok(())
}

#[test]
fn other_constraints_refuse_sparse_gradients() -> Result<()> {
    let w = table(UnitNorm::new().axis(&[1]))?;
    let mut opt = Optimizer::new(Sgd::new(0.25))?;
    let error = opt.apply_gradients([(rows(&[1], vec![1.0, 1.0])?, &w)]).unwrap_err();
    assert_eq!((error.kind(), w.array().to_vec::<f64>()?), (ErrorKind::State, vec![0.5; 8]));
    // A sparse micro-batch is refused before it is accumulated.
    let mut opt = Optimizer::new(Sgd::new(0.25))?.gradient_accumulation_steps(2)?;
    let error = opt.apply_gradients([(rows(&[1], vec![1.0, 1.0])?, &w)]).unwrap_err();
    assert_eq!((error.kind(), opt.accumulated_steps()?), (ErrorKind::State, 0));
    Ok(())
}
