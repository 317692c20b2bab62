//! Where the log ends: its last file, its last whole line, what a crash left behind it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::chain::{self, Link};
use super::log::AuditError;

const CHUNK_BYTES: u64 = 64 * 1024;

/// The files of a log, in the chain's order.
pub(super) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for day in fs::read_dir(dir)? {
        let day = day?.path();
        if !day.is_dir() {
            continue;
        }
        for file in fs::read_dir(&day)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "jsonl") {
                found.push(file);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The last link of the log, after a torn last line is cut off; with the bytes cut.
pub(super) fn recover(dir: &Path) -> Result<(Option<Link>, u64), AuditError> {
    let mut torn_bytes = 0;
    for (n, path) in files(dir)?.into_iter().rev().enumerate() {
        let mut file = OpenOptions::new().read(true).write(n == 0).open(&path)?;
        let (line, torn) = last_line(&mut file)?;
        if torn > 0 {
            if n > 0 {
                return Err(AuditError::Broken { path, reason: chain::Break::NotJson });
            }
            file.set_len(file.metadata()?.len().saturating_sub(torn))?;
            file.sync_data()?;
            torn_bytes = torn;
        }
        if let Some(line) = line {
            let read = chain::read_link(&line).map_err(|reason| AuditError::Broken { path, reason })?;
            return Ok((Some(read.0), torn_bytes));
        }
    }
    Ok((None, torn_bytes))
}

/// The last line that has its newline, without it; and the bytes behind it.
fn last_line(file: &mut File) -> io::Result<(Option<Vec<u8>>, u64)> {
    let length = file.metadata()?.len();
    let mut window = CHUNK_BYTES;
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut parts = bytes.rsplitn(3, |byte| *byte == b'\n');
        let torn = parts.next().unwrap_or_default().len() as u64;
        match (parts.next(), parts.next()) {
            (Some(line), Some(_)) => return Ok((Some(line.to_vec()), torn)),
            (line, None) if from == 0 => return Ok((line.map(<[u8]>::to_vec), torn)),
            _ => window = window.saturating_mul(2),
        }
    }
}
