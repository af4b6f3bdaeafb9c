//! Arrays of another shape or element type in a variable or a slot: nothing is read or written beyond them.
use crate::common::{By, dense, item, sparse};
use slalom_array::{Array, DType, Result};
use slalom_autograd::Tensor;
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::{Item, NamedHyper, Optimizer, Rule, SlotSpec, Step};
use slalom_variable::Variable;

fn vector(length: usize, value: f64) -> Array {
    Array::full([length], value, DType::F64).unwrap()
}

/// Nothing changes, and with the right array in its place the training goes on as if nothing had been.
#[test]
fn a_value_that_does_not_fit_is_refused() -> Result<()> {
    const N: usize = 4096;
    let wrong = [
        (Array::scalar(0.0), "expected a value of shape [4096], got []"),
        (vector(N + 1, 0.0), "expected a value of shape [4096], got [4097]"),
        (Array::zeros([N], DType::F32)?, "expected a value of dtype f64, got f32"),
        (Array::zeros([N], DType::I64)?, "expected a value of dtype f64, got i64"),
    ];
    let free = By(|value: &Tensor| Ok(value.clone()));
    let variables = [
        Variable::new(vector(N, 1.0)).named("x"),
        Variable::new(vector(N, 1.0)).named("x").constrained(free),
    ];
    for x in variables {
        let mut opt = Optimizer::new(Sgd::new(0.5).momentum(0.5))?.use_ema(0.5)?;
        let gradient = || dense(&[1.0; N]);
        opt.apply_gradients([(gradient(), &x)])?;
        let slot = |name: &str| opt.get_slot(&x, name).unwrap();
        for broken in [x.clone(), slot("momentum"), slot("average")] {
            for (array, text) in &wrong {
                let right = std::mem::replace(broken.update().array(), array.clone());
                let error = opt.apply_gradients([(gradient(), &x)]).unwrap_err().to_string();
                let name = broken.name();
                assert_eq!(error, format!("variable {name:?}: apply_gradients: {text}"));
                assert_eq!((broken.array().shape(), broken.array().dtype()), (array.shape(), array.dtype()));
                *broken.update().array() = right;
                assert_eq!(item(opt.iterations()), 1.0);
            }
        }
        opt.apply_gradients([(gradient(), &x)])?;
        assert_eq!(x.array().to_vec::<f64>()?, [1.0 - 0.5 - 0.75; N]);
    }
    Ok(())
}

#[test]
fn a_table_that_does_not_fit_is_refused() -> Result<()> {
    for slot in [false, true] {
        let table = Variable::new(Array::zeros([1000, 4], DType::F64)?).named("table");
        let mut opt = Optimizer::new(Adam::new(0.5).lazy(true))?;
        let gradient = || sparse(&[999, 1], &[1.0; 8], 1000);
        opt.apply_gradients([(gradient(), &table)])?;
        let broken = if slot { opt.get_slot(&table, "v")? } else { table.clone() };
        *broken.update().array() = Array::zeros([2, 4], DType::F64)?;
        let error = opt.apply_gradients([(gradient(), &table)]).unwrap_err().to_string();
        assert!(error.ends_with("expected a value of shape [1000, 4], got [2, 4]"), "{error}");
    }
    Ok(())
}

/// Puts other arrays in the place of a value or slot: after its update, or before that of the rule within.
#[derive(Debug)]
struct Careless {
    inner: Sgd,
    array: Array,
    slot: bool,
    before: bool,
    in_place: bool,
}

impl Rule for Careless {
    fn class_name(&self) -> &str {
        "Careless"
    }
    fn hypers(&self) -> Vec<NamedHyper> {
        Rule::hypers(&self.inner)
    }
    fn slots(&self) -> Vec<SlotSpec> {
        Rule::slots(&self.inner)
    }
    fn updates_in_place(&self) -> bool {
        self.in_place
    }
    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        if !self.before {
            self.inner.update(steps, items)?;
        }
        for item in &mut *items {
            *if self.slot { item.slot(0) } else { item.value() } = self.array.copy()?;
        }
        if self.before { self.inner.update(steps, items) } else { Ok(()) }
    }
}

#[test]
fn a_rule_cannot_leave_what_does_not_fit() -> Result<()> {
    const N: usize = 4096;
    for (slot, name) in [(false, "x"), (true, "Careless/x/momentum")] {
        for in_place in [false, true] {
            let rule = |array: Array| Careless {
                inner: Sgd::new(0.5).momentum(0.5),
                array,
                slot,
                before: false,
                in_place,
            };
            let x = Variable::new(vector(N, 1.0)).named("x");
            let mut opt = Optimizer::new(rule(vector(2, 0.0)))?;
            let mut step = || opt.apply_gradients([(dense(&[1.0; N]), &x)]);
            if in_place {
                // The rule has promised more than it holds; the next step does not begin.
                step()?;
            }
            let error = step().unwrap_err().to_string();
            let expected = "apply_gradients: expected a value of shape [4096], got [2]";
            assert!(error.ends_with(&format!("variable {name:?}: {expected}")), "{error}");
            if !in_place {
                assert_eq!(x.array().to_vec::<f64>()?, [1.0; N]);
                assert_eq!((opt.weights().len(), item(opt.iterations())), (1, 0.0));
            }
        }
    }
    Ok(())
}

#[test]
fn a_rule_within_another_gets_nothing_that_does_not_fit() -> Result<()> {
    for slot in [false, true] {
        for short in [0, 2] {
            for sparsely in [false, true] {
                let rule = Careless {
                    inner: Sgd::new(0.5).momentum(0.5),
                    array: Array::zeros([short, 1], DType::F64)?,
                    slot,
                    before: true,
                    in_place: false,
                };
                let x = Variable::new(Array::zeros([4096, 1], DType::F64)?).named("x");
                let mut opt = Optimizer::new(rule)?;
                let gradient = match sparsely {
                    true => sparse(&[4095], &[1.0], 4096),
                    false => Tensor::from(Array::zeros([4096, 1], DType::F64)?).into(),
                };
                let step = std::panic::AssertUnwindSafe(|| opt.apply_gradients([(gradient, &x)]));
                assert!(!matches!(std::panic::catch_unwind(step), Ok(Ok(_))));
                assert_eq!(x.array().to_vec::<f64>()?, [0.0; 4096]);
            }
        }
    }
    Ok(())
}
