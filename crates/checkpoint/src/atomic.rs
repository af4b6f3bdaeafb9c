//! Files that are replaced as a whole.
use crate::differences::at;
use slalom_array::{Error, ErrorKind, Result};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, process};

/// Writes a file in the place of an old one: whoever opens the path finds the old or the new file, whole, also
/// after the process or the machine has stopped at any moment.
///
/// The new file is written beside the old one, brought to the disk, and renamed; then the folder is brought to the disk.
/// What an interrupted write has left is removed by the next one to the same path. A link is replaced, not followed.
///
/// # Errors
/// [`ErrorKind::Io`], and those of `write`. The old file is still there then.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(Error::new(ErrorKind::Argument, "save", "a path with a file name", path.display()));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let save = || {
        remove_leftovers(folder, name)?;
        let (mut file, temporary) = create(folder, name)?;
        let written = write(&mut file).and_then(|()| {
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            sync_folder(folder)?;
            Ok(())
        });
        if written.is_err() {
            // After the rename there is nothing to remove.
            let _ = fs::remove_file(&temporary);
        }
        written
    };
    save().map_err(at(path))
}

/// Whether a file is one that a write to `name` works on, or has left.
fn is_temporary(file: &OsStr, name: &OsStr) -> bool {
    let file = file.as_encoded_bytes();
    let rest = file.strip_prefix(b".").and_then(|file| file.strip_prefix(name.as_encoded_bytes()));
    let number = rest.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(b".tmp"));
    number.is_some_and(|n| !n.is_empty() && n.iter().all(|b| b.is_ascii_digit() || *b == b'-'))
}

/// A new file beside its place, locked for as long as it is open.
fn create(folder: &Path, name: &OsStr) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let mut temporary = OsStr::new(".").to_owned();
        temporary.push(name);
        temporary.push(format!(".{}-{}.tmp", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let temporary = folder.join(temporary);
        let file = match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            result => result?,
        };
        // Another process may take the file for a leftover until it is locked.
        file.lock()?;
        if fs::exists(&temporary)? {
            return Ok((file, temporary));
        }
    }
}

/// Removes what interrupted writes have left: files that nobody holds locked.
fn remove_leftovers(folder: &Path, name: &OsStr) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !is_temporary(&entry.file_name(), name) || !entry.file_type()?.is_file() {
            continue;
        }
        // What cannot be opened or is in use stays.
        let Ok(file) = File::open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Brings the names in a folder to the disk. Windows does so by itself.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
