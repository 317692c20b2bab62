//! The log's files: the chain's end, lines on their way to the file, rotation.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::chain::{Hash, Link};
use super::encode::{Envelope, encode};
use super::log::{AuditError, LogOptions, Recorded};
use super::record::Event;
use crate::config::Durability;

/// Lines held back until they are many or their time has come.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// How old the knowledge may be that the file is still in its folder.
const SEEN_MAX: SignedDuration = SignedDuration::from_millis(1);

/// When a line goes to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Now,
    /// With the next that goes now, or at the next flush.
    Soon,
}

#[derive(Debug)]
pub(super) struct Writer {
    options: Arc<LogOptions>,
    current: Option<Current>,
    seq: u64,
    prev: Hash,
    clock: Clock,
    /// Whole lines that are not in the file yet; all of the clock's day.
    held: Vec<u8>,
    synced: u64,
    /// Nothing up to here that is not yet acknowledged ever is.
    failed: u64,
    healthy: bool,
}

#[derive(Debug)]
pub(super) struct Current {
    pub(super) file: Arc<File>,
    day: String,
    length: u64,
    /// Holds bytes beyond `length` that could not be cut off.
    dirty: bool,
    /// When it was last seen in its folder.
    seen: Timestamp,
}

/// The time of lines, which never goes back, with what is written of it.
#[derive(Debug)]
struct Clock {
    last: Timestamp,
    second: i64,
    day: String,
    /// `2026-11-23T10:15:00.` of that second.
    prefix: String,
}

impl Clock {
    fn from(last: Timestamp) -> Self {
        Self { last, second: i64::MIN, day: String::new(), prefix: String::new() }
    }

    /// Another second has begun.
    fn turn(&mut self, now: Timestamp) {
        self.second = now.as_second();
        self.prefix = now.strftime("%Y-%m-%dT%H:%M:%S.").to_string();
        self.day = self.prefix.get(..10).unwrap_or_default().to_owned();
    }

    fn micros(&self) -> u32 {
        u32::try_from(self.last.subsec_nanosecond() / 1000).unwrap_or_default()
    }
}

impl Writer {
    /// Goes on behind the last link.
    pub(super) fn new(options: Arc<LogOptions>, last: Option<Link>) -> Self {
        let time = last.as_ref().and_then(|link| link.time.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let (seq, prev) = last.map_or((0, Hash::first()), |link| (link.seq, link.hash));
        let (current, held) = (None, Vec::new());
        let clock = Clock::from(time);
        Self { options, current, seq, prev, clock, held, synced: seq, failed: 0, healthy: true }
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn healthy(&self) -> bool {
        self.healthy
    }

    /// Whether lines wait for a flush.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.current.as_ref().map(|current| Arc::clone(&current.file))
    }

    #[cfg(test)]
    pub(super) fn current_mut(&mut self) -> Option<&mut Current> {
        self.current.as_mut()
    }

    pub(super) fn is_durable(&self, seq: u64) -> Result<bool, AuditError> {
        if seq <= self.failed { Err(AuditError::NotDurable) } else { Ok(seq <= self.synced) }
    }

    pub(super) fn note_sync(&mut self, seq: u64, fine: bool) {
        if fine {
            self.synced = self.synced.max(seq);
            self.healthy = true;
        } else {
            // A file whose sync failed may forget pages and succeed later: it is not used again.
            self.failed = self.seq;
            self.current = None;
            self.healthy = false;
        }
    }

    /// Adds a line to the chain. One that goes now and cannot is not in the chain.
    pub(super) fn write(&mut self, event: &Event<'_>, when: When) -> io::Result<Recorded> {
        let written = self.try_write(event, when);
        // Where lines go to the disk, only a sync that went well makes it healthy again.
        self.healthy = written.is_ok() && (self.healthy || self.options.durability == Durability::Os);
        written
    }

    fn try_write(&mut self, event: &Event<'_>, when: When) -> io::Result<Recorded> {
        let now = Timestamp::now().max(self.clock.last);
        if now.as_second() != self.clock.second {
            // Lines of one day stand in one day's folder.
            self.flush()?;
            self.clock.turn(now);
        }
        self.clock.last = now;
        let recorded = Recorded::of(Uuid::now_v7(), self.seq.saturating_add(1));
        let envelope = Envelope {
            seq: recorded.seq(),
            id: recorded.id(),
            second: &self.clock.prefix,
            micros: self.clock.micros(),
            node: &self.options.node,
        };
        let start = self.held.len();
        let hash = encode(&mut self.held, &envelope, event, &self.prev);
        if (when == When::Now || self.held.len() > HELD_BYTES_MAX)
            && let Err(error) = self.flush()
        {
            self.held.truncate(start);
            return Err(error);
        }
        self.seq = recorded.seq();
        self.prev = hash;
        Ok(recorded)
    }

    /// Writes what is held. Where that fails it stays held.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let size = self.held.len() as u64;
        let (now, day) = (self.clock.last, &self.clock.day);
        let fits = match &mut self.current {
            Some(current) => current.mend()? && current.takes(day, size, &self.options, now)?,
            None => false,
        };
        if !fits {
            self.rotate()?;
        }
        let Some(current) = &mut self.current else { return Err(io::ErrorKind::NotFound.into()) };
        let result = match (&*current.file).write(&self.held) {
            Ok(written) if written == self.held.len() => {
                current.length = current.length.saturating_add(size);
                self.held.clear();
                return Ok(());
            }
            Ok(_) => Err(io::ErrorKind::StorageFull.into()),
            Err(error) => Err(error),
        };
        current.dirty = true;
        current.mend().ok();
        result
    }

    /// Closes the current file, on the disk where asked for, and begins the next.
    fn rotate(&mut self) -> io::Result<()> {
        if let (Some(current), Durability::Disk) = (&self.current, self.options.durability) {
            let result = current.file.sync_data();
            self.note_sync(self.seq, result.is_ok());
            result?;
        }
        self.current = None;
        let day = self.clock.day.clone();
        let file = Arc::new(begin_file(&self.options.dir, &day, self.options.durability)?);
        self.current = Some(Current { file, day, length: 0, dirty: false, seen: self.clock.last });
        Ok(())
    }
}

impl Current {
    /// Cuts off what a failed write left; an error keeps the log from going on behind a torn line.
    fn mend(&mut self) -> io::Result<bool> {
        if self.dirty {
            self.file.set_len(self.length)?;
            self.dirty = false;
        }
        Ok(true)
    }

    fn takes(&mut self, day: &str, size: u64, options: &LogOptions, now: Timestamp) -> io::Result<bool> {
        let room = options.file_bytes_max.get().saturating_sub(self.length);
        if self.day != day || (size > room && self.length > 0) {
            return Ok(false);
        }
        if now.duration_since(self.seen) < SEEN_MAX {
            return Ok(true);
        }
        self.seen = now;
        // A file that was removed takes writes and keeps nothing.
        Ok(self.file.metadata()?.nlink() > 0)
    }
}

fn begin_file(dir: &Path, day: &str, durability: Durability) -> io::Result<File> {
    let folder = dir.join(day);
    DirBuilder::new().recursive(true).mode(0o750).create(&folder)?;
    let mut last: u64 = 0;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    let next = last.saturating_add(1);
    let path = folder.join(format!("{next:06}.jsonl"));
    let file = OpenOptions::new().append(true).create_new(true).mode(0o640).open(path)?;
    if durability == Durability::Disk {
        File::open(&folder)?.sync_all()?;
        File::open(dir)?.sync_all()?;
    }
    Ok(file)
}
