//! Many checkpoints of one training, of which a few are kept.
use crate::Checkpoint;
use crate::differences::at;
use slalom_array::{Error, Result};
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of two metrics is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The lower one: losses.
    Lower,
    /// The higher one: accuracies.
    Higher,
}

/// A folder of checkpoints of one training, of which the last and the best are kept.
///
/// Files are named by their step and metric, `checkpoint-STEP[_METRIC].safetensors`; other files in the folder are left
/// alone. Old files are removed only after the new one is on the disk.
///
/// A step that is not later than all others means that the training has gone back to an earlier checkpoint. The files of later
/// steps belong to the run that was abandoned, and are removed, also the best of them: to keep it, go on in another
/// folder.
///
/// ```
/// use slalom_checkpoint::{Better, Checkpoint, Rotation};
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let rotation = Rotation::new(folder).keep_last(2).keep_best(1, Better::Lower);
/// for (step, loss) in [(10, 0.5), (20, 0.25), (30, 0.75), (40, 0.625)] {
///     rotation.save(step, Some(loss), &Checkpoint::new().value("step", step))?;
/// }
/// let steps: Vec<_> = rotation.list()?.into_iter().map(|(step, _)| step).collect();
/// assert_eq!(steps, [20, 30, 40]);
/// assert_eq!(Checkpoint::load(rotation.best()?.unwrap())?.get_value("step")?, 20);
/// assert_eq!(Checkpoint::load(rotation.latest()?.unwrap())?.get_value("step")?, 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rotation {
    folder: PathBuf,
    last: usize,
    best: usize,
    better: Better,
}

struct File {
    step: u64,
    metric: Option<f64>,
    path: PathBuf,
}

impl Rotation {
    /// The checkpoints in a folder, which is made when it is needed. By default the last 3 are kept, and none for its metric.
    pub fn new(folder: impl Into<PathBuf>) -> Rotation {
        Rotation { folder: folder.into(), last: 3, best: 0, better: Better::Lower }
    }

    /// Keeps the `n` checkpoints of the latest steps, at least 1.
    #[must_use]
    pub fn keep_last(self, n: usize) -> Rotation {
        Rotation { last: n.max(1), ..self }
    }

    /// Keeps the `n` checkpoints with the best metrics besides. Of equal ones, the later is better; NaN is worst.
    #[must_use]
    pub fn keep_best(self, n: usize, better: Better) -> Rotation {
        Rotation { best: n, better, ..self }
    }

    /// Saves a checkpoint, and removes those that are neither among the last nor among the best, and all of later steps.
    /// Its path.
    ///
    /// # Errors
    /// As [`Checkpoint::save`]; [`Io`](slalom_array::ErrorKind::Io), if an old file cannot be removed: the new one is there then.
    pub fn save(&self, step: u64, metric: Option<f64>, checkpoint: &Checkpoint) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(|error| at(&self.folder)(error.into()))?;
        let metric = metric.map_or(String::new(), |metric| format!("_{metric}"));
        let path = self.folder.join(format!("checkpoint-{step:08}{metric}.safetensors"));
        checkpoint.save(&path)?;
        // What was abandoned when the training went back: later steps, and this one with another metric.
        let (abandoned, rest): (Vec<_>, Vec<_>) =
            self.files()?.into_iter().partition(|file| file.step >= step && file.path != path);
        let cut = rest.len().saturating_sub(self.last);
        let mut old: Vec<&File> = rest[..cut].iter().collect();
        let mut ranked: Vec<&File> = rest.iter().collect();
        ranked.sort_by(|a, b| self.compare(b, a));
        let best = &ranked[..self.best.min(ranked.len())];
        old.retain(|file| file.metric.is_none() || best.iter().all(|best| best.path != file.path));
        for file in abandoned.iter().chain(old) {
            fs::remove_file(&file.path).map_err(|error| at(&file.path)(error.into()))?;
        }
        Ok(path)
    }

    /// The steps and paths of all checkpoints, by step.
    ///
    /// # Errors
    /// [`Io`](slalom_array::ErrorKind::Io).
    pub fn list(&self) -> Result<Vec<(u64, PathBuf)>> {
        Ok(self.files()?.into_iter().map(|file| (file.step, file.path)).collect())
    }

    /// The checkpoint of the latest step; `None` if there is none.
    ///
    /// # Errors
    /// [`Io`](slalom_array::ErrorKind::Io).
    pub fn latest(&self) -> Result<Option<PathBuf>> {
        Ok(self.files()?.pop().map(|file| file.path))
    }

    /// The checkpoint with the best metric; `None` if none has one.
    ///
    /// # Errors
    /// [`Io`](slalom_array::ErrorKind::Io).
    pub fn best(&self) -> Result<Option<PathBuf>> {
        let files = self.files()?.into_iter().filter(|file| file.metric.is_some());
        Ok(files.max_by(|a, b| self.compare(a, b)).map(|file| file.path))
    }

    /// `Greater` is better.
    fn compare(&self, a: &File, b: &File) -> Ordering {
        let rank = |file: &File| {
            let metric = file.metric.filter(|metric| !metric.is_nan());
            let signed = metric.map(|metric| if self.better == Better::Lower { -metric } else { metric });
            (signed.is_some(), signed.unwrap_or(0.0))
        };
        let ((a_has, a_rank), (b_has, b_rank)) = (rank(a), rank(b));
        // Adding zero makes one zero of both.
        let by_metric = a_has.cmp(&b_has).then((a_rank + 0.0).total_cmp(&(b_rank + 0.0)));
        by_metric.then(a.step.cmp(&b.step))
    }

    /// The checkpoints in the folder, by step.
    fn files(&self) -> Result<Vec<File>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| at(&self.folder)(error.into()))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| at(&self.folder)(Error::from(error)))?.path();
            files.extend(File::of(path));
        }
        files.sort_by(|a, b| (a.step, &a.path).cmp(&(b.step, &b.path)));
        Ok(files)
    }
}

impl File {
    fn of(path: PathBuf) -> Option<File> {
        let name = Path::new(path.file_name()?).to_str()?;
        let name = name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?;
        let (step, metric) = match name.split_once('_') {
            Some((step, metric)) => (step, Some(metric.parse().ok()?)),
            None => (name, None),
        };
        Some(File { step: step.parse().ok()?, metric, path })
    }
}
