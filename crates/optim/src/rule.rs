//! What an optimization algorithm is: its hyperparameters, slots, update and config.
use crate::config::Config;
use crate::driver::{self, Update};
use crate::search::Search;
use crate::{NamedHyper, Step};
use slalom_array::{Array, DType, Error, ErrorKind, Float, Result, Shape};
use slalom_variable::Variable;
use smallvec::SmallVec;
use std::fmt::{Debug, Display};
use std::ops::Range;

/// A slot: an array that a rule keeps for each variable, of the variable's shape (or a scalar that it keeps once).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlotSpec {
    pub(crate) name: &'static str,
    pub(crate) initial: Initial,
    pub(crate) dtype: Option<DType>,
    pub(crate) extent: Extent,
}

/// Whose a slot is, and of which shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The rule's, of the shape that it says.
    Rule,
    /// A stage's, of the variable's shape.
    Variable,
    /// A stage's, a number for each row of the variable.
    Rows,
}

/// What a slot holds at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Initial {
    Number(f64),
    /// The variable's value.
    Variable,
}

impl SlotSpec {
    /// A slot of zeros, of the variable's element type.
    pub const fn new(name: &'static str) -> SlotSpec {
        SlotSpec { name, initial: Initial::Number(0.0), dtype: None, extent: Extent::Rule }
    }

    /// A slot that begins as a copy of the variable, of its element type.
    pub const fn copy_of_variable(name: &'static str) -> SlotSpec {
        SlotSpec { name, initial: Initial::Variable, dtype: None, extent: Extent::Rule }
    }

    /// The same slot with another first value.
    #[must_use]
    pub const fn initial(self, initial: f64) -> SlotSpec {
        SlotSpec { initial: Initial::Number(initial), ..self }
    }

    /// The same slot with an element type of its own (`F32` or `F64`).
    #[must_use]
    pub const fn dtype(self, dtype: DType) -> SlotSpec {
        SlotSpec { dtype: Some(dtype), ..self }
    }

    /// The same as a slot of a stage.
    pub(crate) const fn extent(self, extent: Extent) -> SlotSpec {
        SlotSpec { extent, ..self }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// In which order the slots of several variables are created, and so stand among the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlotOrder {
    /// The first slot of all variables, then the second.
    #[default]
    SlotMajor,
    /// All slots of the first variable, then those of the second.
    VariableMajor,
}

/// What a rule does with a sparse gradient: which rows move, and what becomes of duplicate indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SparseUpdate {
    /// Rows that the gradient lacks stay as they are, in the slots too. Duplicates are summed first.
    #[default]
    TouchedRows,
    /// Rows that the gradient lacks are updated with a gradient of zero. Duplicates are summed first.
    AllRows,
    /// As `TouchedRows`, and decoupled weight decay too leaves rows that the gradient lacks as they are.
    Lazy,
    /// As `AllRows` for the slots, but rows of the variable that the gradient lacks stay. Duplicates are summed first.
    AllSlotRows,
    /// The gradient is made a whole one, zero in the rows that it lacks.
    Dense,
}

/// Which sums an element rule needs to know before it can update elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sums {
    /// None.
    #[default]
    None,
    /// Those over each variable: norms.
    Variable,
    /// Those over all variables of a step.
    All,
}

/// One variable to be updated: its value, its slots and its gradient.
#[derive(Debug)]
pub struct Item<'a> {
    pub(crate) value: &'a mut Array,
    pub(crate) slots: SmallVec<[&'a mut Array; 3]>,
    pub(crate) update: &'a Update,
    pub(crate) group: usize,
    pub(crate) kept: f64,
}

impl Item<'_> {
    /// The value, contiguous and unshared, to be changed in place or replaced by one of its shape and element type.
    pub fn value(&mut self) -> &mut Array {
        self.value
    }

    /// A slot, contiguous and unshared.
    ///
    /// # Panics
    /// If the rule has fewer slots.
    pub fn slot(&mut self, index: usize) -> &mut Array {
        self.slots[index]
    }

    /// The gradient as a whole array of the variable's shape, clipped.
    ///
    /// # Errors
    /// [`Memory`](slalom_array::ErrorKind::Memory).
    pub fn gradient(&self) -> Result<Array> {
        self.update.to_dense(self.value.shape())
    }

    /// The group that the variable belongs to: an index into the steps.
    pub fn group(&self) -> usize {
        self.group
    }

    /// What decoupled weight decay leaves of the value, as a factor that the update has still to apply: 1 but for rules that
    /// [fold it in](Rule::folds_weight_decay).
    pub fn kept(&self) -> f64 {
        self.kept
    }

    /// The same variable with some of its slots.
    pub(crate) fn with_slots(&mut self, slots: Range<usize>) -> Item<'_> {
        let slots = self.slots[slots].iter_mut().map(|slot| &mut **slot).collect();
        Item { value: self.value, slots, update: self.update, group: self.group, kept: self.kept }
    }
}

/// An optimization algorithm.
///
/// Most algorithms treat each element alone: implement [`ElementRule`] for them, which makes them a `Rule`. Implement
/// `Rule` itself for those that need a variable as a whole.
pub trait Rule: Debug + Send + Sync {
    /// The name of the class, which configs hold; an optimizer is named so by default.
    fn class_name(&self) -> &str;

    /// The hyperparameters, with the values that the rule was made with. The optimizer keeps them from then on.
    fn hypers(&self) -> Vec<NamedHyper>;

    /// The slots of each variable.
    fn slots(&self) -> Vec<SlotSpec>;

    /// In which order slots are created.
    fn slot_order(&self) -> SlotOrder {
        SlotOrder::SlotMajor
    }

    /// Scalars that belong to the optimizer as a whole. They are weights, and stand before all slots.
    fn scalars(&self) -> Vec<SlotSpec> {
        Vec::new()
    }

    /// The shape of a slot of a variable, by the place of the slot in the list. A slot that a variable has no use for may be
    /// empty.
    fn slot_shape(&self, _slot: usize, variable: &Variable) -> Shape {
        variable.shape().clone()
    }

    /// Refuses arguments that are not allowed, apart from the hyperparameters' ranges.
    ///
    /// # Errors
    /// [`Argument`](slalom_array::ErrorKind::Argument).
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// The arguments that are not hyperparameters, as the config holds them.
    fn config(&self) -> Config {
        Config::new()
    }

    /// Whether [`update`](Rule::update) cannot fail, and so may change variables in place. Otherwise it is given
    /// copies, which become the values when nothing has failed.
    fn updates_in_place(&self) -> bool {
        false
    }

    /// Whether a step must give all of its variables to [`update`](Rule::update) in one call.
    fn updates_together(&self) -> bool {
        false
    }

    /// Whether an update by a sparse gradient may move rows of the variable that the gradient lacks (default true): constraints
    /// by row are applied to all rows then.
    fn moves_all_rows(&self) -> bool {
        true
    }

    /// Whether sparse gradients are to be made whole before they come to [`update`](Rule::update).
    fn wants_dense(&self) -> bool {
        false
    }

    /// Whether a hyperparameter `weight_decay` of the rule's own is that of decoupled weight decay, which is then the optimizer's
    /// affair: the rule only says its default. All rules without such a hyperparameter are given one of the optimizer's.
    fn decouples_weight_decay(&self) -> bool {
        false
    }

    /// Whether [`update`](Rule::update) multiplies values by [`Item::kept`] in the pass that it makes anyway, where the gradient is
    /// dense or sparse. Otherwise this is done before.
    fn folds_weight_decay(&self, _sparse: bool) -> bool {
        false
    }

    /// The search for the variables' next values, of a rule that evaluates the loss itself. Such a rule works in
    /// [`minimize`](crate::Optimizer::minimize) alone, and its [`update`](Rule::update) is never called.
    fn search(&self) -> Option<&dyn Search> {
        None
    }

    /// Updates values and slots. `steps[item.group()]` is the step of the item's group. A rule with scalars gives them
    /// their values of this step ([`Step::scalars_mut`]), the same for all groups.
    ///
    /// Variables must not be read here: their values may be taken out. Use the items.
    ///
    /// # Errors
    /// If the update cannot be computed.
    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()>;
}

/// An optimization algorithm that treats each element alone: what most optimizers are.
///
/// `element` is compiled into a loop over all elements of all variables, with vector instructions, on all threads; it
/// should be `#[inline(always)]` and free of branches.
///
/// ```
/// use slalom_array::Float;
/// use slalom_optim::{ElementRule, Hyper, IntoHyper, NamedHyper, Optimizer, SlotSpec, Step};
/// use slalom_variable::Variable;
///
/// /// `a += g²; x -= lr g / (√a + 1e-7)`
/// #[derive(Debug, Clone)]
/// struct Adagrad {
///     learning_rate: Hyper,
/// }
///
/// impl ElementRule for Adagrad {
///     const NAME: &'static str = "Adagrad";
///     type Coeffs<F: Float> = F;
///
///     fn hypers(&self) -> Vec<NamedHyper> {
///         vec![self.learning_rate.named("learning_rate")]
///     }
///     fn slots(&self) -> Vec<SlotSpec> {
///         vec![SlotSpec::new("accumulator").initial(0.1)]
///     }
///     fn coeffs<F: Float>(&self, step: &Step<'_>) -> F {
///         F::from_f64(step.learning_rate())
///     }
///     #[inline(always)]
///     fn element<F: Float>(learning_rate: F, x: F, g: F, slots: &mut [F]) -> F {
///         slots[0] += g * g;
///         x - learning_rate * g / (slots[0].sqrt() + F::from_f64(1e-7))
///     }
/// }
///
/// let x = Variable::new(1.0f64);
/// let mut opt = Optimizer::new(Adagrad { learning_rate: (|| 0.1).into_hyper() })?;
/// opt.minimize(|| &x * &x, [&x])?;
/// assert_eq!(opt.get_slot(&x, "accumulator")?.array().item()?, 4.1);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait ElementRule: Debug + Clone + Send + Sync + 'static {
    /// As [`Rule::class_name`].
    const NAME: &'static str;

    /// The numbers that `element` needs, computed once for each step and group.
    type Coeffs<F: Float>: Copy + Send + Sync;

    /// The least and the largest number of slots, without those of [`STATES`](ElementRule::STATES): the loops are compiled for
    /// these only.
    const SLOTS: (usize, usize) = (0, driver::MAX_SLOTS);

    /// How many of the slots, the last ones, are one number for each variable.
    const STATES: usize = 0;

    /// Which sums of [`terms`](ElementRule::terms) are needed before elements can be updated. They cost a pass that reads
    /// values, gradients and slots.
    const SUMS: Sums = Sums::None;

    /// As [`Rule::hypers`].
    fn hypers(&self) -> Vec<NamedHyper>;

    /// As [`Rule::slots`]; at most four.
    fn slots(&self) -> Vec<SlotSpec> {
        Vec::new()
    }

    /// As [`Rule::slot_order`].
    fn slot_order(&self) -> SlotOrder {
        SlotOrder::SlotMajor
    }

    /// As [`Rule::scalars`].
    fn scalars(&self) -> Vec<SlotSpec> {
        Vec::new()
    }

    /// Computes the scalars' values for this step from those of the step before. `sums` are those over all variables, for
    /// [`Sums::All`]; else they are 0.
    fn advance(&self, _step: &Step<'_>, _sums: [f64; 2], _scalars: &mut [f64]) {}

    /// As [`Rule::validate`].
    ///
    /// # Errors
    /// [`Argument`](slalom_array::ErrorKind::Argument).
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// As [`Rule::config`].
    fn config(&self) -> Config {
        Config::new()
    }

    /// As [`Rule::decouples_weight_decay`].
    fn decouples_weight_decay(&self) -> bool {
        false
    }

    /// What happens with a sparse gradient.
    fn sparse(&self) -> SparseUpdate {
        SparseUpdate::TouchedRows
    }

    /// Computes the numbers that `element` needs, from the step alone: variables must not be read here.
    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Self::Coeffs<F>;

    /// What an element adds to the sums, before it is updated.
    #[inline(always)]
    fn terms<F: Float>(_coeffs: Self::Coeffs<F>, _x: F, _g: F, _slots: &[F]) -> [F; 2] {
        [F::ZERO; 2]
    }

    /// The coefficients with what follows from the sums: of a variable, whose numbers `states` are changed in place
    /// ([`Sums::Variable`]), or of all, after [`advance`](ElementRule::advance) ([`Sums::All`]).
    fn with_sums<F: Float>(
        &self,
        _step: &Step<'_>,
        coeffs: Self::Coeffs<F>,
        _sums: [f64; 2],
        _states: &mut [f64],
    ) -> Self::Coeffs<F> {
        coeffs
    }

    /// The new value of an element `x` with the gradient `g`; `slots` holds the element's slots, in the order of
    /// [`slots`](ElementRule::slots), and is changed in place.
    fn element<F: Float>(coeffs: Self::Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F;
}

impl<R: ElementRule> Rule for R {
    fn class_name(&self) -> &str {
        R::NAME
    }
    fn hypers(&self) -> Vec<NamedHyper> {
        ElementRule::hypers(self)
    }
    fn slots(&self) -> Vec<SlotSpec> {
        ElementRule::slots(self)
    }
    fn slot_order(&self) -> SlotOrder {
        ElementRule::slot_order(self)
    }
    fn scalars(&self) -> Vec<SlotSpec> {
        ElementRule::scalars(self)
    }
    fn slot_shape(&self, slot: usize, variable: &Variable) -> Shape {
        let of_elements = ElementRule::slots(self).len() - R::STATES;
        if slot < of_elements { variable.shape().clone() } else { Shape::from([]) }
    }
    fn validate(&self) -> Result<()> {
        let (slots, (least, most)) = (ElementRule::slots(self), R::SLOTS);
        let refuse = |expected: String, got: &dyn Display| {
            Err(Error::new(ErrorKind::Argument, "slots", expected, got))
        };
        if slots.len() > driver::MAX_SLOTS {
            return refuse(format!("at most {} slots", driver::MAX_SLOTS), &slots.len());
        }
        let Some(of_elements) = slots.len().checked_sub(R::STATES) else {
            return refuse(format!("at least {} slots", R::STATES), &slots.len());
        };
        if !(least..=most).contains(&of_elements) {
            return refuse(format!("{least} to {most} slots of elements"), &of_elements);
        }
        for SlotSpec { name, dtype, .. } in slots {
            if let Some(dtype) = dtype.filter(|dtype| !dtype.is_float()) {
                return refuse(format!("`{name}` of dtype f32 or f64"), &dtype);
            }
        }
        ElementRule::validate(self)
    }
    fn config(&self) -> Config {
        ElementRule::config(self)
    }
    fn updates_in_place(&self) -> bool {
        true
    }
    fn updates_together(&self) -> bool {
        R::SUMS == Sums::All
    }
    fn moves_all_rows(&self) -> bool {
        self.sparse() == SparseUpdate::AllRows
    }
    fn wants_dense(&self) -> bool {
        R::SUMS != Sums::None || self.sparse() == SparseUpdate::Dense
    }
    fn decouples_weight_decay(&self) -> bool {
        ElementRule::decouples_weight_decay(self)
    }
    fn folds_weight_decay(&self, sparse: bool) -> bool {
        !sparse || matches!(self.sparse(), SparseUpdate::AllRows | SparseUpdate::Lazy)
    }
    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        driver::run(self, steps, items);
        Ok(())
    }
}
