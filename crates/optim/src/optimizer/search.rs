//! Steps of rules that evaluate the loss themselves.
use super::Optimizer;
use super::state::address;
use crate::minimize::Recorded;
use crate::rule::Initial;
use crate::search::{Objective, SearchState};
use crate::slots::SlotTable;
use crate::stages::{commit, missing};
use crate::{Report, Variables};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use slalom_autograd::{Gradient, Tensor};
use slalom_variable::Variable;

/// Gradients in the order of the variables.
type Gradients = Vec<Option<Gradient>>;

/// How a loss is evaluated at the variables' present values.
pub(crate) trait Loss {
    /// The loss and its gradients.
    fn record(&mut self) -> Result<Recorded>;
    /// The gradients of the gradients' product with a vector for each variable.
    fn hessian_vector(&mut self, vectors: &[Tensor]) -> Result<Gradients>;
}

impl Optimizer {
    /// Does a step of a rule that searches, which begins anew where the last step was one of other variables. `first` is the
    /// loss at the variables' present values.
    pub(crate) fn search(&mut self, first: Recorded, loss: &mut dyn Loss) -> Result<Report> {
        self.check_usable()?;
        self.check_searchable(&first.variables).map_err(|error| error.context(&self.name))?;
        let iterations = self.iterations.array().item()? as i64;
        let reported = first.loss.stop_gradient();
        if first.variables.is_empty() {
            return Ok(Report { loss: reported, iterations });
        }
        let (known, idle_before) = (self.slots.kept().len(), idle(&self.slots));
        self.slots.begin();
        let entries: Vec<usize> =
            first.variables.iter().enumerate().map(|(i, variable)| self.slots.find(i, variable).0).collect();
        self.slots.create(&*self.rule, &self.specs, &self.name)?;
        let new_scalars = self.new_scalars()?;
        let scalars = new_scalars.as_ref().unwrap_or(&self.scalars);
        let mut state = SearchState::default();
        for scalar in scalars {
            state.scalars.push(scalar.array().item()?);
        }
        let slots: Vec<Vec<Variable>> = (0..self.specs.len())
            .map(|k| entries.iter().map(|&entry| self.slots.entry(entry).slots[k].clone()).collect())
            .collect();
        for slot in &slots {
            state.slots.push(rows(slot, &first.variables)?);
        }
        if entries.iter().any(|&entry| entry >= known) || idle(&self.slots) != idle_before {
            self.forget(&mut state);
        }
        let mut step = self.hypers.step(&self.name, iterations)?;
        step.scalars = state.scalars.iter().copied().collect();

        let mut objective = Evaluations::new(&self.name, first, loss)?;
        let Some(rule) = self.rule.search() else { return Err(self.searches(false)) };
        let position = rule.search(&step, &mut objective, &mut state)?;
        let values = split(&position, &objective.variables)?;
        let mut new_slots = Vec::new();
        for (slot, rows) in slots.iter().zip(&state.slots) {
            new_slots.push(unrows(rows, slot, &objective.variables)?);
        }
        let mut new = scalars.iter().map(|s| Array::zeros([], s.dtype())).collect::<Result<Vec<_>>>()?;
        let count = Array::scalar(iterations + 1);

        // Nothing can fail from here on.
        commit::fill(&mut new, &state.scalars);
        objective.finish(values);
        for (slot, arrays) in slots.iter().zip(new_slots) {
            replace(slot, arrays);
        }
        drop(step);
        self.keep(new_scalars);
        replace(&self.scalars, new);
        replace(std::slice::from_ref(&self.iterations), vec![count]);
        Ok(Report { loss: reported, iterations: iterations + 1 })
    }

    /// Makes the state one that remembers nothing, as that of a search over other variables tells nothing.
    fn forget(&self, state: &mut SearchState) {
        for (spec, scalar) in self.rule.scalars().iter().zip(&mut state.scalars) {
            if let Initial::Number(number) = spec.initial {
                *scalar = number;
            }
        }
        for (spec, rows) in self.specs.iter().zip(&mut state.slots) {
            if let Initial::Number(number) = spec.initial {
                rows.iter_mut().for_each(|row| row.fill(number));
            }
        }
    }

    /// Refuses options that change gradients apart from the loss, and variables that must not move freely.
    fn check_searchable(&self, variables: &[Variable]) -> Result<()> {
        let repeated = |(i, v): (usize, &Variable)| variables[..i].iter().any(|before| before.same(v));
        let got = if self.clip.any() {
            "clip options"
        } else if self.aggregator.is_some() || !self.transformers.is_empty() {
            "an aggregator or transformers of gradients"
        } else if self.stages.any() || self.hypers.has_weight_decay() {
            "groups, loss scaling, accumulation, averages, skipping of steps or weight decay"
        } else if variables.iter().any(|variable| variable.constraint().is_some()) {
            "a variable with a constraint"
        } else if variables.iter().enumerate().any(repeated) {
            "a variable that is listed twice"
        } else if let Some(variable) = variables.iter().find(|variable| !variable.dtype().is_float()) {
            return Err(Error::new(ErrorKind::DType, "minimize", "variables of floats", variable.dtype()));
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::State, "minimize", "a loss and its own gradients alone", got))
    }

    /// That the rule does search, or does not, where the other is wanted.
    #[cold]
    pub(crate) fn searches(&self, does: bool) -> Error {
        let [searching, other] =
            ["minimize, as the rule evaluates the loss itself", "a rule that evaluates the loss itself"];
        let (expected, got) =
            if does { (searching, "gradients that are given") } else { (other, "another rule") };
        Error::new(ErrorKind::State, "minimize", expected, got).context(&self.name)
    }
}

/// The variables of a step that moves them about. They go back where they were, unless the step has been finished.
struct Evaluations<'a> {
    variables: Variables,
    loss: &'a mut dyn Loss,
    before: Vec<Array>,
    start: Vec<f64>,
    /// The loss and the gradient at the start.
    first: Option<(f64, Vec<f64>)>,
    finished: bool,
}

impl<'a> Evaluations<'a> {
    fn new(optimizer: &str, first: Recorded, loss: &'a mut dyn Loss) -> Result<Evaluations<'a>> {
        let pairs = first.gradients.iter().cloned().zip(first.variables.iter().cloned());
        missing::drop_missing(optimizer, pairs, &first.cuts)?;
        let before: Vec<Array> = first.variables.iter().map(Variable::array).collect();
        let mut start = Vec::new();
        for value in &before {
            start.extend(value.cast(DType::F64)?.to_vec::<f64>()?);
        }
        let evaluated = (total(&first.loss)?, flat(&first.gradients, &first.variables)?);
        let variables = first.variables;
        Ok(Evaluations { variables, loss, before, start, first: Some(evaluated), finished: false })
    }

    fn finish(mut self, values: Vec<Array>) {
        replace(&self.variables, values);
        self.finished = true;
    }
}

impl Drop for Evaluations<'_> {
    fn drop(&mut self) {
        if !self.finished {
            replace(&self.variables, std::mem::take(&mut self.before));
        }
    }
}

impl Objective for Evaluations<'_> {
    fn start(&self) -> &[f64] {
        &self.start
    }

    fn dtype(&self) -> DType {
        let narrow = self.variables.iter().all(|variable| variable.dtype() == DType::F32);
        if narrow { DType::F32 } else { DType::F64 }
    }

    fn evaluate(&mut self, position: &[f64]) -> Result<(f64, Vec<f64>)> {
        if let Some(first) = self.first.take_if(|_| position == self.start) {
            return Ok(first);
        }
        self.first = None;
        replace(&self.variables, split(position, &self.variables)?);
        let recorded = self.loss.record()?;
        Ok((total(&recorded.loss)?, flat(&recorded.gradients, &self.variables)?))
    }

    fn hessian_vector(&mut self, vector: &[f64]) -> Result<Vec<f64>> {
        let vectors: Vec<Tensor> = split(vector, &self.variables)?.into_iter().map(Tensor::from).collect();
        flat(&self.loss.hessian_vector(&vectors)?, &self.variables)
    }
}

/// The variables that the present step lacks, or the last one before a step has begun.
fn idle(slots: &SlotTable) -> Vec<usize> {
    slots.idle().map(|entry| address(&entry.variable)).collect()
}

/// The loss as a number.
fn total(loss: &Tensor) -> Result<f64> {
    if loss.rank() == 0 { loss.item() } else { loss.sum().item() }
}

/// Puts values into variables.
fn replace(variables: &[Variable], values: Vec<Array>) {
    for (variable, value) in variables.iter().zip(values) {
        *variable.update().array() = value;
    }
}

/// Gradients as one list; a missing one is 0.
fn flat(gradients: &Gradients, variables: &[Variable]) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for (gradient, variable) in gradients.iter().zip(variables) {
        match gradient {
            Some(gradient) => {
                let gradient = gradient.to_dense()?;
                all.extend(gradient.array()?.cast(DType::F64)?.to_vec::<f64>()?);
            }
            None => all.extend(std::iter::repeat_n(0.0, variable.shape().iter().product())),
        }
    }
    Ok(all)
}

/// Numbers as an array of a float type.
fn array(shape: &Shape, numbers: &[f64], dtype: DType) -> Result<Array> {
    Array::from_slice::<f64>(shape, numbers)?.cast(dtype)
}

/// A position as values of the variables.
fn split(position: &[f64], variables: &[Variable]) -> Result<Vec<Array>> {
    let mut rest = position;
    let value = |variable: &Variable| {
        let (own, others) = rest.split_at(variable.shape().iter().product());
        rest = others;
        array(variable.shape(), own, variable.dtype())
    };
    variables.iter().map(value).collect()
}

/// A slot of all variables as rows.
fn rows(slot: &[Variable], variables: &[Variable]) -> Result<Vec<Vec<f64>>> {
    let count = slot.iter().zip(variables).map(|(slot, variable)| height(slot, variable)).max().unwrap_or(0);
    let mut rows = vec![Vec::new(); count];
    for (slot, variable) in slot.iter().zip(variables) {
        let elements = slot.array().cast(DType::F64)?.to_vec::<f64>()?;
        let width = variable.shape().iter().product::<usize>();
        for (row, own) in rows.iter_mut().zip(elements.chunks(width.max(1))) {
            row.extend(own);
        }
    }
    Ok(rows)
}

/// How many rows a variable's slot is.
fn height(slot: &Variable, variable: &Variable) -> usize {
    if slot.shape().rank() > variable.shape().rank() { slot.shape()[0] } else { 1 }
}

/// Rows as the values of a slot of all variables.
fn unrows(rows: &[Vec<f64>], slot: &[Variable], variables: &[Variable]) -> Result<Vec<Array>> {
    let mut start = 0;
    let value = |(slot, variable): (&Variable, &Variable)| {
        let width = variable.shape().iter().product::<usize>();
        let elements: Vec<f64> = rows.iter().flat_map(|row| &row[start..start + width]).copied().collect();
        start += width;
        array(slot.shape(), &elements, slot.dtype())
    };
    slot.iter().zip(variables).map(value).collect()
}
