//! A process that is killed while it saves loses nothing: the file is the old or the new one, whole.
//!
//! `SLALOM_KILLS` says how often (default 50); `scripts/kill-save` does it 1,000 times.
#![cfg(unix)]
use slalom_array::{Array, DType, Result};
use slalom_checkpoint::Checkpoint;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const PATH: &str = "SLALOM_KILL_PATH";
/// Elements of each of two arrays, whose elements are all the number of the save.
const LENGTH: usize = 200_000;

fn checkpoint(n: i64) -> Result<Checkpoint> {
    let first = Array::full([LENGTH], n as f64, DType::F32)?;
    let second = Array::full([LENGTH], n as f64, DType::I64)?;
    Ok(Checkpoint::new().value("n", n).array("first", first).array("second", second))
}

/// The number of the save that the file is of, if all of it is of that one.
fn number(path: &Path) -> Result<i64> {
    let loaded = Checkpoint::load(path)?;
    let n = loaded.get_value("n")?.as_i64().expect("a number");
    assert_eq!(loaded.get_array("first")?.to_vec::<f32>()?, vec![n as f32; LENGTH], "mixed");
    assert_eq!(loaded.get_array("second")?.to_vec::<i64>()?, vec![n; LENGTH], "mixed");
    Ok(n)
}

fn leftovers(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count() - 1
}

/// The other process: saves again and again, and says so each time.
#[test]
fn saves_until_it_is_killed() {
    let Some(path) = env::var_os(PATH) else { return };
    let path = Path::new(&path);
    let mut n = number(path).expect("the file of the process before");
    loop {
        n += 1;
        checkpoint(n).unwrap().save(path).unwrap();
        println!("saved {n} {}", leftovers(path.parent().unwrap()));
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn nothing_is_lost_or_mixed() -> Result<()> {
    let kills: u32 = env::var("SLALOM_KILLS").map_or(50, |n| n.parse().expect("a number"));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("run.safetensors");
    let start = Instant::now();
    checkpoint(0)?.save(&path)?;
    // A kill hits any moment of three saves.
    let longest = 3 * start.elapsed().as_micros() as i64 + 1;
    let random = slalom_array::Generator::from_seed(std::process::id().into());
    let (mut last, mut interrupted) = (0, 0);
    for _ in 0..kills {
        let arguments = ["saves_until_it_is_killed", "--exact", "--nocapture", "--test-threads=1"];
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let said = |line: std::io::Result<String>| -> Option<(i64, usize)> {
            let line = line.ok()?;
            let (n, left) = line.split_once("saved ")?.1.split_once(' ')?;
            Some((n.parse().ok()?, left.parse().ok()?))
        };
        // The first save has removed what the process before has left.
        let (first, left) = lines.by_ref().find_map(said).expect("a save");
        assert_eq!((first, left), (last + 1, 0));
        let mut micros = [0i64];
        random.uniform_int(0, longest, &mut micros);
        thread::sleep(Duration::from_micros(micros[0] as u64));
        child.kill()?;
        child.wait()?;
        let said = lines.filter_map(said).last().map_or(first, |(n, _)| n);
        let found = number(&path)?;
        assert!(found == said || found == said + 1, "saved {said}, found {found}: lost");
        interrupted += usize::from(leftovers(folder.path()) > 0);
        last = found;
    }
    checkpoint(last + 1)?.save(&path)?;
    assert_eq!(leftovers(folder.path()), 0);
    println!("{kills} kills, {interrupted} of them within a save, {last} saves: 0 lost, 0 mixed");
    assert!(interrupted > 0, "no kill has interrupted a save");
    Ok(())
}
