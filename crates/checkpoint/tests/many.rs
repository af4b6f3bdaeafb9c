//! A model of many small variables is saved, and its training resumed.
use slalom_array::{Error, Result};
use slalom_autograd::Gradient;
use slalom_checkpoint::Checkpoint;
use slalom_optim::Optimizer;
use slalom_optim::rules::Adam;
use slalom_variable::Variable;
use std::path::Path;

const VARIABLES: usize = 20_000;

struct Training {
    optimizer: Optimizer,
    variables: Vec<Variable>,
}

impl Training {
    fn new(first: f32) -> Result<Training> {
        let variable = |i: usize| {
            let value = first + i as f32 / VARIABLES as f32;
            Variable::new(value).named(format!("block{}/layer{}/weight", i / 100, i % 100))
        };
        let variables = (0..VARIABLES).map(variable).collect();
        Ok(Training { optimizer: Optimizer::new(Adam::new(0.1))?, variables })
    }

    /// A step of these variables, the last one first, for the loss `Σ x² / 2`.
    fn train(&mut self, from: usize) -> Result<()> {
        let variables = self.variables[from..].iter().rev();
        let gradients: Vec<_> = variables.map(|x| (Gradient::Dense(x.value()), x)).collect();
        self.optimizer.apply_gradients(gradients).map(drop)
    }

    fn save(&self, path: &Path) -> Result<Vec<u8>> {
        Checkpoint::new().optimizer(&self.optimizer, &self.variables)?.save(path)?;
        std::fs::read(path).map_err(Error::from)
    }
}

#[test]
fn many_variables_are_resumed_with_the_same_bits() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("many.safetensors");
    let mut whole = Training::new(1.0)?;
    // Half of the slots are made in the first step, the others in the second.
    whole.train(VARIABLES / 2)?;
    whole.train(0)?;
    whole.save(&path)?;
    let mut resumed = Training::new(7.0)?;
    let checkpoint = Checkpoint::load(&path)?;
    checkpoint.restore().optimizer(&mut resumed.optimizer, &resumed.variables)?.apply()?;
    for training in [&mut whole, &mut resumed] {
        training.train(0)?;
        training.train(0)?;
    }
    assert!(resumed.save(&path)? == whole.save(&path)?);
    let names = |training: &Training| -> Vec<String> {
        training.optimizer.weights().iter().map(|weight| weight.name().to_owned()).collect()
    };
    assert_eq!(names(&whole).len(), 1 + 2 * VARIABLES);
    assert!(names(&resumed) == names(&whole), "weights are in the order of their creation");
    Ok(())
}
