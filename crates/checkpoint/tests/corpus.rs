//! Malformed files: each gives a typed error, in bounded memory, without a panic, and changes nothing.
//!
//! The files are made here: valid ones are cut, changed bit by bit, and rewritten with wrong numbers and names, where need be
//! with the right checksum. Memory is counted by the allocator of this process, so there is one test in this program.
mod common;
mod malformed;

use malformed::{Case, Kind, special};
use slalom_array::{Error, ErrorKind, Result};
use slalom_checkpoint::{Checkpoint, config, npz, read_arrays};
use slalom_optim::rules::Adam;
use slalom_optim::{Optimizer, State};
use slalom_variable::Variable;
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    PEAK.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist for a moment.
        grow(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a file must not cost more than.
fn bound(file: u64) -> usize {
    2 * file as usize + (64 << 20)
}

/// The program that reads the files: what it holds must not change.
struct Reader {
    optimizer: Optimizer,
    variable: Variable,
    at_start: Vec<u8>,
    folder: tempfile::TempDir,
    largest: f64,
    failures: Vec<String>,
}

impl Reader {
    fn new() -> Result<Reader> {
        let variable = Variable::new(1.0f32).named("w");
        let (optimizer, folder) = (Optimizer::new(Adam::new(0.1))?, tempfile::tempdir()?);
        let mut reader =
            Reader { optimizer, variable, at_start: Vec::new(), folder, largest: 0.0, failures: Vec::new() };
        reader.at_start = reader.state()?;
        Ok(reader)
    }

    fn state(&self) -> Result<Vec<u8>> {
        let path = self.folder.path().join("state");
        Checkpoint::new().optimizer(&self.optimizer, [&self.variable])?.save(&path)?;
        Ok(fs::read(path)?)
    }

    /// Reads a file as a program would; a description of what was read.
    fn read(&mut self, kind: Kind, path: &Path) -> Result<String> {
        match kind {
            Kind::Checkpoint => {
                let checkpoint = Checkpoint::load(path)?;
                checkpoint.restore().optimizer(&mut self.optimizer, [&self.variable])?.apply()?;
                Ok(format!("{checkpoint:?}"))
            }
            Kind::Safetensors | Kind::Npz => {
                let arrays: BTreeMap<_, _> = match kind {
                    Kind::Npz => npz::read(path)?,
                    _ => read_arrays(path)?,
                };
                Ok(format!("{arrays:?}"))
            }
            Kind::Config => Ok(format!("{:?}", Optimizer::deserialize(&config::read(path)?)?.get_config()?)),
        }
    }

    /// Reads a file, and checks the memory that it costs.
    fn measure(&mut self, kind: Kind, path: &Path, name: &str) -> Result<String> {
        slalom_array::memory::trim();
        let (length, before) = (fs::metadata(path).map_or(0, |facts| facts.len()), NOW.load(Relaxed));
        PEAK.store(before, Relaxed);
        let result = self.read(kind, path);
        let used = PEAK.load(Relaxed).saturating_sub(before);
        if used > bound(length) {
            self.failures.push(format!("{name}: {used} bytes for a file of {length}"));
        }
        self.largest = self.largest.max(used as f64 / bound(length) as f64);
        result
    }

    fn refuses(&mut self, kind: Kind, path: &Path, name: &str, valid: &str) {
        let as_expected = match self.measure(kind, path, name) {
            Err(error) => is_typed(kind, &error),
            // Without a checksum a flipped bit may give another valid file, or hit a byte of an archive that means nothing.
            Ok(read) => match kind {
                Kind::Config | Kind::Safetensors => name.contains("flip"),
                Kind::Npz => name.contains("flip") && read == valid,
                Kind::Checkpoint => false,
            },
        };
        if !as_expected {
            let result = format!("{:?}", self.read(kind, path));
            self.failures.push(format!("{name}: {result:.300}"));
        }
    }
}

fn is_typed(kind: Kind, error: &Error) -> bool {
    use ErrorKind::{Argument, Config, DType, Format, NotFound};
    let allowed: &[ErrorKind] = match kind {
        Kind::Checkpoint => &[Format, DType, Argument],
        Kind::Safetensors | Kind::Npz => &[Format, DType],
        Kind::Config => &[Format, Config, NotFound, Argument],
    };
    allowed.contains(&error.kind()) && error.to_string().len() < 10_000
}

#[test]
fn each_is_refused() -> Result<()> {
    let mut reader = Reader::new()?;
    assert_eq!(State::names([&reader.variable])[0].0, "w");
    let mut counts = BTreeMap::<Kind, usize>::new();
    for source in malformed::valid_files()? {
        let path = reader.folder.path().join(format!("file{}", source.kind.extension()));
        fs::write(&path, &source.bytes)?;
        let valid = reader.measure(source.kind, &path, &source.name);
        let valid = if source.fits { valid? } else { valid.unwrap_err().to_string() };
        // The fitting checkpoint has been restored: that is the state from here on.
        reader.at_start = reader.state()?;
        for Case { name, bytes } in source.cases() {
            fs::write(&path, &bytes)?;
            reader.refuses(source.kind, &path, &name, &valid);
            *counts.entry(source.kind).or_default() += 1;
        }
    }
    for (kind, case) in malformed::bombs::all() {
        let path = reader.folder.path().join(format!("bomb{}", kind.extension()));
        fs::write(&path, &case.bytes)?;
        reader.refuses(kind, &path, &case.name, "");
        *counts.entry(kind).or_default() += 1;
    }
    for (name, bytes) in malformed::bombs::valid() {
        let path = reader.folder.path().join("valid.safetensors");
        fs::write(&path, bytes)?;
        reader.measure(Kind::Safetensors, &path, name)?;
    }
    for kind in Kind::ALL {
        let folder = tempfile::tempdir()?;
        for (name, path) in special(folder.path(), kind)? {
            let error = reader.measure(kind, &path, &name).expect_err(&name);
            assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Format), "{name}: {error}");
            *counts.entry(kind).or_default() += 1;
        }
    }
    assert!(reader.state()? == reader.at_start, "nothing has changed");
    let first: Vec<_> = reader.failures.iter().take(10).collect();
    assert!(first.is_empty(), "{} failures: {first:#?}", reader.failures.len());
    let total: usize = counts.values().sum();
    println!(
        "{total} files {counts:?}; at most {:.0} % of the memory that is allowed",
        100.0 * reader.largest
    );
    assert!(total >= 2000);
    Ok(())
}
