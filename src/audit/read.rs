//! Reading the log back, a line at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::chain::{Break, Verifier};
use super::tail;

/// What a check of the chain found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub files: u64,
    /// Whole lines that fit.
    pub lines: u64,
    /// The first that does not fit: file, line from 1, why. Nothing behind it was checked.
    pub first_break: Option<(PathBuf, u64, Break)>,
    /// The very last line has no newline yet: a writer is at it, or crashed in it.
    pub being_written: bool,
}

/// Checks the whole chain of a directory; works while the proxy writes.
///
/// # Errors
/// A file cannot be read.
pub fn verify(dir: &Path) -> io::Result<Verified> {
    verify_files(&tail::files(dir)?, Verifier::whole())
}

/// Checks these files in this order.
///
/// # Errors
/// A file cannot be read.
pub fn verify_files(files: &[PathBuf], mut verifier: Verifier) -> io::Result<Verified> {
    let mut found = Verified::default();
    let mut line = Vec::new();
    let last = files.last();
    for path in files {
        found.files = found.files.saturating_add(1);
        let mut reader = BufReader::new(File::open(path)?);
        let mut number = 0_u64;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            number = number.saturating_add(1);
            let fits = match line.strip_suffix(b"\n") {
                Some(whole) => verifier.feed(whole),
                None if Some(path) == last => {
                    found.being_written = true;
                    return Ok(found);
                }
                None => Err(Break::NotJson),
            };
            if let Err(why) = fits {
                found.first_break = Some((path.clone(), number, why));
                return Ok(found);
            }
            found.lines = found.lines.saturating_add(1);
        }
    }
    Ok(found)
}

/// The log's files in order; those of a directory that is written to may grow meanwhile.
///
/// # Errors
/// The directory cannot be read.
pub fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    tail::files(dir)
}

/// Whole lines of the files, one after the other, each with its file and number from 1. A last line
/// without newline is left out: a writer is at it.
pub fn lines(files: Vec<PathBuf>) -> impl Iterator<Item = io::Result<(PathBuf, u64, String)>> {
    files.into_iter().flat_map(|path| {
        let mut reader = File::open(&path).map(BufReader::new);
        let mut number = 0_u64;
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let reader = match &mut reader {
                Ok(reader) => reader,
                Err(error) => {
                    ended = true;
                    return Some(Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))));
                }
            };
            let mut line = Vec::new();
            match reader.read_until(b'\n', &mut line) {
                Ok(_) if line.last() == Some(&b'\n') => {
                    line.pop();
                    number = number.saturating_add(1);
                    Some(Ok((path.clone(), number, String::from_utf8_lossy(&line).into_owned())))
                }
                Ok(_) => None,
                Err(error) => {
                    ended = true;
                    Some(Err(error))
                }
            }
        })
    })
}
