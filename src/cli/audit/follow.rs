//! Going on with a log as it grows, over files and days.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ReadError;
use crate::audit::read::files;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// Hands on each whole line that comes after the call, until `say` fails.
pub(super) fn follow(
    dir: &Path,
    mut say: impl FnMut(&str) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut current = files(dir)?.pop();
    let mut offset = match &current {
        Some(path) => path.metadata()?.len(),
        None => 0,
    };
    loop {
        if let Some(path) = &current {
            offset = read_on(path, offset, &mut say)?;
        }
        // What follows the current file is begun only when nothing is added to it any more.
        match next(dir, current.as_deref())? {
            Some(path) => {
                current = Some(path);
                offset = 0;
            }
            None => std::thread::sleep(EVERY),
        }
    }
}

fn next(dir: &Path, current: Option<&Path>) -> io::Result<Option<PathBuf>> {
    Ok(files(dir)?.into_iter().find(|path| current.is_none_or(|current| path.as_path() > current)))
}

/// Whole lines from `offset` on; where they end.
fn read_on(
    path: &Path,
    mut offset: u64,
    say: &mut impl FnMut(&str) -> Result<(), ReadError>,
) -> Result<u64, ReadError> {
    let mut reader = BufReader::new(File::open(path)?);
    reader.seek(SeekFrom::Start(offset))?;
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader.read_line(&mut line)?;
        let Some(whole) = line.strip_suffix('\n') else { return Ok(offset) };
        say(whole)?;
        offset += read as u64;
    }
}
