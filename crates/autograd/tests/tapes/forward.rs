//! Forward accumulators: connections, errors, and ops without a `jvp` of their own.
use crate::{scalar, vector};
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{
    ForwardAccumulator, Gradients, Op, Outputs, Saves, Tensor, Trace, UnconnectedGradients, Vjp, apply,
    concat,
};

/// `x³`, with a `vjp` alone.
#[derive(Debug, Clone, Copy)]
struct Cube;

impl Op for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let x: Tensor = inputs[0].clone().into();
        Ok([(&x * &x * &x).into()].into())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let x = cx.input(0);
        Ok([Some((3.0 * cx.grad()? * x * x).into())].into_iter().collect())
    }
}

/// Traces in its `forward`.
#[derive(Debug, Clone, Copy)]
struct Tracing;

impl Op for Tracing {
    fn name(&self) -> &'static str {
        "tracing"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let _trace = Trace::new()?;
        Ok([inputs[0].clone()].into())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a trace"))
    }
}

#[test]
fn an_op_begins_no_trace_within_a_trace() -> Result<()> {
    let trace = Trace::new()?;
    let y = scalar(2.0) * scalar(3.0);
    assert_eq!(apply(Tracing, [&y]).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(trace.finish(&[&y])?.run()?[0].item()?, 6.0);
    Ok(())
}

#[test]
fn an_op_that_computes_with_tensors_is_one_op_of_a_trace() -> Result<()> {
    let trace = Trace::new()?;
    let y = apply(Cube, [&scalar(2.0)])?;
    assert_eq!(y.item().unwrap_err().kind(), ErrorKind::State);
    let mut plan = trace.finish(&[&y])?;
    assert_eq!(plan.ops().collect::<Vec<_>>(), ["cube"]);
    assert_eq!(plan.run()?[0].item()?, 8.0);
    Ok(())
}

#[test]
fn ops_of_users_have_tangents() -> Result<()> {
    let outer = ForwardAccumulator::new(&scalar(2.0), &scalar(1.0))?;
    let inner = ForwardAccumulator::new(&outer.primals()[0], &scalar(10.0))?;
    let y = apply(Cube, [&inner.primals()[0]])?;
    let first = inner.jvp(&y)?.unwrap();
    assert_eq!(first.item()?, 120.0);
    assert_eq!(outer.jvp(&first)?.unwrap().item()?, 120.0);
    Ok(())
}

#[test]
fn what_depends_on_nothing_has_no_tangent() -> Result<()> {
    let accumulator =
        ForwardAccumulator::new([&scalar(2.0), &vector(&[1.0, 4.0])], &[scalar(1.0), vector(&[1.0, 2.0])])?;
    let [x, y] = accumulator.primals() else { panic!("two primals") };
    let cut = y.cast(DType::I32)?.cast(DType::F64)?;
    assert!(accumulator.jvp(&cut)?.is_none());
    assert!(accumulator.jvp(&scalar(1.0))?.is_none());
    let zeros = accumulator.jvp_with(&cut, UnconnectedGradients::Zero)?.unwrap();
    assert_eq!(zeros.to_vec::<f64>()?, [0.0, 0.0]);
    let paused = accumulator.stop_recording(|| x.square());
    assert!(accumulator.jvp(&paused)?.is_none());
    // Asked twice, for a part and for the whole.
    let parts = y.split(&[1, 1], 0)?;
    assert_eq!(accumulator.jvp(&parts[1])?.unwrap().to_vec::<f64>()?, [2.0]);
    let whole = concat(&[&parts[1], &(x * &parts[0]), &vector(&[7.0])], 0)?;
    assert_eq!(accumulator.jvp(&whole)?.unwrap().to_vec::<f64>()?, [2.0, 1.0 + 2.0, 0.0]);
    assert_eq!(accumulator.jvp(x)?.unwrap().item()?, 1.0);
    Ok(())
}

#[test]
fn tangents_that_do_not_fit() {
    let x = vector(&[1.0, 2.0]);
    let kind = |tangents: &[Tensor]| ForwardAccumulator::new(&x, tangents).unwrap_err().kind();
    assert_eq!(kind(&[]), ErrorKind::Argument);
    assert_eq!(kind(&[scalar(1.0)]), ErrorKind::Shape);
    assert_eq!(kind(&[Tensor::ones([2], DType::F32).unwrap()]), ErrorKind::DType);
}

#[test]
fn tangents_in_a_trace() -> Result<()> {
    let trace = Trace::new()?;
    let accumulator = ForwardAccumulator::new(&scalar(3.0), &scalar(1.0))?;
    let y = apply(Cube, [&accumulator.primals()[0]])?.tanh()?;
    let tangent = accumulator.jvp(&y)?.unwrap();
    let mut plan = trace.finish(&[&tangent])?;
    let expected = 27.0 * (1.0 - 27f64.tanh() * 27f64.tanh());
    assert_eq!(plan.run()?[0].item()?, expected);
    Ok(())
}
