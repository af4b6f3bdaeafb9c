//! Rules of one's own: of elements, and of whole variables.
use crate::common::{dense, item, sparse};
use slalom_array::{Array, DType, ErrorKind, Float, Result};
use slalom_optim::config::{Config, Entry, Reader};
use slalom_optim::schedules::{self, ExponentialDecay};
use slalom_optim::{ElementRule, Hyper, Item, NamedHyper, Optimizer, Rule, SlotSpec, Step, rules};
use slalom_variable::Variable;

/// RMSprop without options: `s += (1 - ρ)(g² - s); x -= lr g / √(s + ε)`
#[derive(Debug, Clone)]
struct Rms {
    learning_rate: Hyper,
    rho: Hyper,
}

impl Rms {
    fn read(reader: &mut Reader<'_>) -> Result<Box<dyn Rule>> {
        let learning_rate = reader.take_hyper("learning_rate")?.into();
        Ok(Box::new(Rms { learning_rate, rho: reader.take_hyper_or("rho", 0.5)?.into() }))
    }
}

impl ElementRule for Rms {
    const NAME: &'static str = "Rms";
    type Coeffs<F: Float> = (F, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.learning_rate.named("learning_rate"), self.rho.named("rho").within(0.0, 1.0)]
    }
    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("rms").dtype(DType::F64)]
    }
    fn coeffs<F: Float>(&self, step: &Step<'_>) -> (F, F) {
        (F::from_f64(step.learning_rate()), F::from_f64(1.0 - step.hyper("rho")))
    }
    #[inline(always)]
    fn element<F: Float>((rate, gain): (F, F), x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += gain * (g * g - slots[0]);
        x - rate * g / (slots[0] + F::from_f64(1e-7)).sqrt()
    }
}

#[test]
fn an_own_optimizer_from_a_config() -> Result<()> {
    let own: &[Entry<Box<dyn Rule>>] = &[Entry { class_name: "Rms", build: Rms::read }];
    let rate = schedules::serialize(&ExponentialDecay::new(0.5, 1, 0.5));
    let config =
        Config::from_iter([("learning_rate".to_owned(), rate), ("clipvalue".to_owned(), 2.0.into())]);
    let mut opt =
        Optimizer::from_config_with("Rms", &config, rules::registry().with(own), schedules::registry())?;
    let x = Variable::new(1.0f32);
    let mut expected = (1.0f64, 0.0f64);
    for rate in [0.5, 0.25, 0.125] {
        opt.minimize(|| 10.0 * &x, &x)?;
        expected.1 += 0.5 * (4.0 - expected.1);
        expected.0 -= rate * 2.0 / (expected.1 + 1e-7).sqrt();
    }
    assert!((item(&x) - expected.0).abs() < 1e-6);
    let slot = opt.get_slot(&x, "rms")?;
    assert_eq!((slot.dtype(), item(&slot), slot.name()), (DType::F64, expected.1, "Rms/Variable/rms"));
    assert_eq!(opt.get_config()?["rho"], 0.5);
    Ok(())
}

/// Each variable moves by its gradient divided by the norm of all its elements.
#[derive(Debug)]
struct Normalized;

impl Rule for Normalized {
    fn class_name(&self) -> &str {
        "Normalized"
    }
    fn hypers(&self) -> Vec<NamedHyper> {
        vec![Hyper::Number(1.0).named("learning_rate")]
    }
    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("norm")]
    }
    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        for item in items {
            let gradient = item.gradient()?.to_vec::<f64>()?;
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            if norm > 1e6 {
                return Err(slalom_array::Error::other("too steep"));
            }
            let rate = steps[item.group()].learning_rate() / norm;
            item.slot(0).make_mut::<f64>()?.fill(norm);
            for (x, g) in item.value().make_mut::<f64>()?.iter_mut().zip(gradient) {
                *x -= rate * g;
            }
        }
        Ok(())
    }
}

#[test]
fn a_rule_of_whole_variables() -> Result<()> {
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 1.0])?);
    let table = Variable::new(Array::zeros([3, 1], DType::F64)?);
    let mut opt = Optimizer::new(Normalized)?;
    opt.apply_gradients([(dense(&[0.0, 4.0]), &x), (sparse(&[2, 0, 2], &[1.0, 0.0, 3.0], 3), &table)])?;
    assert_eq!(x.array().to_vec::<f64>()?, [1.0, 0.0]);
    assert_eq!(table.array().to_vec::<f64>()?, [0.0, 0.0, -1.0]);
    let before = (x.array().to_vec::<f64>()?, opt.get_slot(&x, "norm")?.array().to_vec::<f64>()?);
    let y = Variable::new(Array::zeros([1], DType::F64)?);
    assert_eq!(
        opt.apply_gradients([(dense(&[1.0, 0.0]), &x), (dense(&[1e7]), &y)]).unwrap_err().kind(),
        ErrorKind::Other
    );
    assert_eq!((x.array().to_vec::<f64>()?, opt.get_slot(&x, "norm")?.array().to_vec::<f64>()?), before);
    assert!(opt.get_slot(&y, "norm").is_err());
    assert_eq!((opt.weights().len(), item(opt.iterations())), (3, 1.0));
    Ok(())
}

/// A rule of elements with so many slots of an element type, of which `LEAST` to `MOST` are allowed and the last `NUMBERS` are
/// one number.
#[derive(Debug, Clone)]
struct Slots<const LEAST: usize, const MOST: usize, const NUMBERS: usize>(usize, DType);

impl<const LEAST: usize, const MOST: usize, const NUMBERS: usize> ElementRule
    for Slots<LEAST, MOST, NUMBERS>
{
    const NAME: &'static str = "Slots";
    const SLOTS: (usize, usize) = (LEAST, MOST);
    const STATES: usize = NUMBERS;
    type Coeffs<F: Float> = ();

    fn hypers(&self) -> Vec<NamedHyper> {
        Vec::new()
    }
    fn slots(&self) -> Vec<SlotSpec> {
        ["a", "b", "c", "d", "e"][..self.0].iter().map(|name| SlotSpec::new(name).dtype(self.1)).collect()
    }
    fn coeffs<F: Float>(&self, _: &Step<'_>) {}
    fn element<F: Float>(_: (), x: F, g: F, _: &mut [F]) -> F {
        x - g
    }
}

#[test]
fn slots_that_a_rule_cannot_have_are_refused_at_once() -> Result<()> {
    let refused = [
        (Optimizer::new(Slots::<0, 4, 0>(5, DType::F32)), "expected at most 4 slots, got 5"),
        (Optimizer::new(Slots::<0, 1, 0>(2, DType::F32)), "expected 0 to 1 slots of elements, got 2"),
        (Optimizer::new(Slots::<1, 2, 2>(2, DType::F32)), "expected 1 to 2 slots of elements, got 0"),
        (Optimizer::new(Slots::<0, 4, 3>(2, DType::F32)), "expected at least 3 slots, got 2"),
        (Optimizer::new(Slots::<0, 4, 0>(1, DType::I64)), "expected `a` of dtype f32 or f64, got i64"),
        (Optimizer::new(Slots::<0, 4, 1>(1, DType::Bool)), "expected `a` of dtype f32 or f64, got bool"),
    ];
    for (made, text) in refused {
        let error = made.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Argument, format!("Slots: slots: {text}")));
    }
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 2.0])?);
    for made in
        [Optimizer::new(Slots::<0, 2, 2>(4, DType::F32)), Optimizer::new(Slots::<4, 4, 0>(4, DType::F64))]
    {
        made?.apply_gradients([(dense(&[0.5, 0.5]), &x)])?;
    }
    assert_eq!(x.array().to_vec::<f64>()?, [0.0, 1.0]);
    Ok(())
}
