//! A snapshot kept in a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{self, NoSnapshot, Snapshot};

/// Why a file is not taken as a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    #[error("`{}` cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("`{}`: {error}", path.display())]
    Shape { path: PathBuf, error: NoSnapshot },
}

/// Reads what `tollgate catalog dump` wrote. Blocks.
pub fn read(path: &Path) -> Result<Snapshot, FileFault> {
    let text = fs::read_to_string(path).map_err(|error| FileFault::Io { path: path.to_owned(), error })?;
    catalog::read(&text).map_err(|error| FileFault::Shape { path: path.to_owned(), error })
}

/// Writes it whole or not at all: another process may be reading the file. Blocks.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}
