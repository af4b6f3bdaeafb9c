//! Valid files, and what can be wrong with them.
pub(crate) mod bombs;
mod checkpoints;
mod configs;
mod npzs;

use slalom_array::{Generator, Result};
use std::path::{Path, PathBuf};

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Checkpoint,
    Safetensors,
    Npz,
    Config,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Checkpoint, Kind::Safetensors, Kind::Npz, Kind::Config];

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Kind::Checkpoint | Kind::Safetensors => ".safetensors",
            Kind::Npz => ".npz",
            Kind::Config => ".json",
        }
    }
}

/// A malformed file.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A valid file.
pub(crate) struct Valid {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    /// Whether the reader has the optimizer and the variable that it belongs to.
    pub(crate) fits: bool,
    /// The bytes that are changed and cut one by one.
    pub(crate) head: usize,
    /// Files that were made by other means.
    pub(crate) others: Vec<Case>,
}

impl Valid {
    /// All that is wrong: cut at every byte of the head and every 4 KiB, with a bit flipped in every byte of the head and anywhere, longer,
    /// and the others.
    pub(crate) fn cases(&self) -> impl Iterator<Item = Case> {
        let random = Generator::from_seed(self.bytes.len() as u64);
        let n = self.bytes.len();
        let head = self.head.min(n);
        let cuts = (0..head)
            .chain((head..n).step_by(4096))
            .chain(n.checked_sub(1))
            .map(|at| Case { name: format!("{} cut at {at}", self.name), bytes: self.bytes[..at].to_vec() });
        let mut places = vec![0i64; 200];
        random.uniform_int(0, n as i64, &mut places);
        let mut bits = vec![0i64; head + 200];
        random.uniform_int(0, 8, &mut bits);
        let flips = (0..head).chain(places.into_iter().map(|place| place as usize)).zip(bits);
        let flips = flips.map(|(at, bit)| {
            let mut bytes = self.bytes.clone();
            bytes[at] ^= 1 << bit;
            Case { name: format!("{} with bit {bit} of byte {at} flipped", self.name), bytes }
        });
        let longer = [1, 8, 4096].into_iter().map(|by| Case {
            name: format!("{} longer by {by}", self.name),
            bytes: [&self.bytes[..], &vec![b'x'; by]].concat(),
        });
        let copy =
            |case: &Case| Case { name: format!("{}, {}", self.name, case.name), bytes: case.bytes.clone() };
        cuts.chain(flips).chain(longer).chain(self.others.iter().map(copy))
    }
}

pub(crate) fn valid_files() -> Result<Vec<Valid>> {
    Ok([checkpoints::valid()?, npzs::valid()?, configs::valid()?].into_iter().flatten().collect())
}

/// Paths that are not files.
pub(crate) fn special(folder: &Path, kind: Kind) -> Result<Vec<(String, PathBuf)>> {
    let path = |name: &str| folder.join(format!("{name}{}", kind.extension()));
    let mut paths = vec![("a missing file", path("missing")), ("a folder", path("folder"))];
    std::fs::create_dir(path("folder"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("nowhere", path("dangling"))?;
        symlink(path("loop").file_name().unwrap(), path("loop"))?;
        symlink(path("folder"), path("to-folder"))?;
        symlink("/dev/zero", path("device"))?;
        let fifo = std::ffi::CString::new(path("pipe").to_str().unwrap()).unwrap();
        // SAFETY: the path ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        let more = [
            ("a link to nothing", "dangling"),
            ("a link to itself", "loop"),
            ("a link to a folder", "to-folder"),
            ("a link to a device", "device"),
            ("a pipe", "pipe"),
        ];
        paths.extend(more.map(|(name, file)| (name, path(file))));
    }
    Ok(paths.into_iter().map(|(name, path)| (format!("{name} as {kind:?}"), path)).collect())
}
