//! A file is replaced as a whole, and nothing is left beside it.
use slalom_array::{Array, ErrorKind, Result};
use slalom_checkpoint::{Better, Checkpoint, Rotation, write_arrays};
use std::fs;
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn leftovers_of_the_same_file_are_removed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let others = [".run.1.tmp2", ".run.tmp", ".runs.1-0.tmp", "run.1-0.tmp", ".run.x.tmp"];
    for name in others.iter().chain(&[".run.1-0.tmp", ".run.77-12.tmp"]) {
        fs::write(folder.path().join(name), "half a file")?;
    }
    fs::create_dir(folder.path().join(".run.5-5.tmp"))?;
    // One that is in use stays.
    let in_use = folder.path().join(".run.9-9.tmp");
    fs::write(&in_use, "in use")?;
    let held = fs::File::open(&in_use)?;
    held.lock()?;
    Checkpoint::new().save(folder.path().join("run"))?;
    let mut expected = others.map(str::to_owned).to_vec();
    expected.extend([".run.5-5.tmp", ".run.9-9.tmp", "run"].map(str::to_owned));
    expected.sort();
    assert_eq!(names(folder.path()), expected);
    Ok(())
}

#[test]
fn a_save_that_fails_leaves_the_old_file_and_nothing_else() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run");
    Checkpoint::new().value("n", 1).save(&path)?;
    let too_large = Checkpoint::new().value("n", "x".repeat(300 << 10));
    assert_eq!(too_large.save(&path).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(Checkpoint::load(&path)?.get_value("n")?, 1);
    let name = "x".repeat(2000);
    assert!(Checkpoint::new().array(name, Array::scalar(1.0f32)).save(&path).is_err());
    let deep = Array::ones(vec![1; 33], slalom_array::DType::F32)?;
    let error = write_arrays(folder.path().join("w.safetensors"), &[("deep".into(), deep)].into());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(names(folder.path()), ["run"]);

    let error = Checkpoint::new().save(folder.path().join("missing/run")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("missing"));
    fs::create_dir(folder.path().join("taken"))?;
    assert_eq!(Checkpoint::new().save(folder.path().join("taken")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(Checkpoint::new().save("..").unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(names(folder.path()), ["run", "taken"]);
    Ok(())
}

#[test]
fn threads_that_save_to_one_path_and_readers_do_not_meet() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run");
    let checkpoint = |n: i64| -> Result<Checkpoint> {
        let filled = Array::full([5000], n as f64, slalom_array::DType::I64)?;
        Ok(Checkpoint::new().value("n", n).array("n", filled))
    };
    checkpoint(0)?.save(&path)?;
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let path = &path;
            scope
                .spawn(move || (0..30).for_each(|i| checkpoint(3 * i + thread).unwrap().save(path).unwrap()));
        }
        for _ in 0..60 {
            let loaded = Checkpoint::load(&path).unwrap();
            let n = loaded.get_value("n").unwrap().as_i64().unwrap();
            assert_eq!(loaded.get_array("n").unwrap().to_vec::<i64>().unwrap(), vec![n; 5000]);
        }
    });
    assert_eq!(names(folder.path()), ["run"]);
    Ok(())
}

/// The last and the best are kept, in either order of better; other files stay, and a step that comes again replaces its file.
#[test]
fn a_rotation_keeps_the_last_and_the_best() -> Result<()> {
    for (better, kept) in [(Better::Lower, [3, 5, 8, 9]), (Better::Higher, [1, 2, 8, 9])] {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("notes.txt"), "mine")?;
        let rotation = Rotation::new(folder.path()).keep_last(2).keep_best(2, better);
        let metrics = [9.0, 8.0, 1.0, 5.0, 2.0, f64::NAN, 4.0, 4.0, 4.0];
        for (step, metric) in (1..).zip(metrics) {
            rotation.save(step, Some(metric), &Checkpoint::new().value("step", step))?;
        }
        let steps = || -> Result<Vec<u64>> { Ok(rotation.list()?.into_iter().map(|file| file.0).collect()) };
        assert_eq!(steps()?, kept);
        let best = Checkpoint::load(rotation.best()?.expect("a best one"))?;
        assert_eq!(best.get_value("step")?, if better == Better::Lower { 3 } else { 1 });
        rotation.save(9, Some(3.0), &Checkpoint::new().value("step", 90))?;
        assert_eq!(steps()?, kept);
        assert_eq!(Checkpoint::load(rotation.latest()?.expect("a last one"))?.get_value("step")?, 90);
        assert!(folder.path().join("notes.txt").exists());
    }
    Ok(())
}

/// A training that is resumed from an earlier checkpoint leaves the later ones behind.
#[test]
fn a_rotation_forgets_what_was_abandoned() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rotation = Rotation::new(folder.path()).keep_last(2).keep_best(1, Better::Lower);
    let save = |step: u64, metric: f64| rotation.save(step, Some(metric), &Checkpoint::new());
    let steps = || -> Result<Vec<u64>> { Ok(rotation.list()?.into_iter().map(|file| file.0).collect()) };
    for (step, metric) in [(10, 0.5), (20, 4.0), (30, 0.25), (40, 3.0)] {
        save(step, metric)?;
    }
    assert_eq!(steps()?, [30, 40]);
    // Also one that is worse than all others is there when it has been saved.
    let path = save(25, 9.0)?;
    assert_eq!((rotation.latest()?, steps()?), (Some(path), vec![25]));
    save(35, 8.0)?;
    save(45, 7.0)?;
    assert_eq!(steps()?, [35, 45]);
    let path = save(35, 6.0)?;
    assert_eq!((rotation.latest()?, rotation.best()?, steps()?), (Some(path.clone()), Some(path), vec![35]));
    Ok(())
}
