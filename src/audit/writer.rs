//! The chain's end, lines on their way to the file, and the files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::{Builder, Uuid};

use super::chain::{Hash, Link};
use super::encode::{Envelope, link};
use super::log::{LogOptions, Recorded};
use crate::config::Durability;

/// How old the knowledge may be that the file is still in its folder.
const SEEN_MAX: SignedDuration = SignedDuration::from_millis(1);

/// The end of the chain: lines are added here, and written by whoever takes them.
#[derive(Debug)]
pub(super) struct Chain {
    /// Of the last line added.
    end: End,
    /// Of the last line in the file: what the chain goes back to when lines cannot be written.
    written: End,
    clock: Clock,
    /// Whole lines that nobody writes yet, and the day of the first.
    held: Vec<u8>,
    day: String,
}

#[derive(Debug, Clone)]
struct End {
    seq: u64,
    hash: Hash,
}

/// Lines on their way to the file, of the day of the first.
#[derive(Debug)]
pub(super) struct Batch {
    lines: Vec<u8>,
    end: End,
    day: String,
    time: Timestamp,
}

/// The file that is written.
#[derive(Debug)]
pub(super) struct Files {
    options: Arc<LogOptions>,
    current: Option<Current>,
    /// A sync failed when a file was closed: what it took is not surely on the disk.
    pub(super) lost: bool,
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
    /// `2026-11-23T10:15:00.` of that second.
    prefix: String,
}

impl Clock {
    fn from(last: Timestamp) -> Self {
        Self { last, second: i64::MIN, prefix: String::new() }
    }

    /// Goes on to now.
    fn turn(&mut self) {
        self.last = Timestamp::now().max(self.last);
        if self.second != self.last.as_second() {
            self.second = self.last.as_second();
            self.prefix = self.last.strftime("%Y-%m-%dT%H:%M:%S.").to_string();
        }
    }

    fn day(&self) -> &str {
        self.prefix.get(..10).unwrap_or_default()
    }

    /// A UUIDv7 of this time, to the microsecond (RFC 9562, 6.2, method 3).
    fn id(&self) -> Uuid {
        let millis = u64::try_from(self.last.as_millisecond()).unwrap_or_default();
        let fraction = (self.micros() % 1000) << 12;
        let [_, _, high, low] = (fraction / 1000).to_be_bytes();
        // The version and the variant stand among the first half's and the ninth byte's bits.
        let [a, b, c, d, e, f, .., g, h] = Uuid::new_v4().into_bytes();
        Builder::from_unix_timestamp_millis(millis, &[high, low, a, b, c, d, e, f, g, h]).into_uuid()
    }

    fn micros(&self) -> u32 {
        u32::try_from(self.last.subsec_nanosecond() / 1000).unwrap_or_default()
    }
}

impl Chain {
    /// Goes on behind the last link.
    pub(super) fn new(last: Option<Link>) -> Self {
        let time = last.as_ref().and_then(|link| link.time.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let (seq, hash) = last.map_or((0, Hash::first()), |link| (link.seq, link.hash));
        let (end, clock) = (End { seq, hash }, Clock::from(time));
        Self { written: end.clone(), end, clock, held: Vec::new(), day: String::new() }
    }

    /// Of the last line added.
    pub(super) fn seq(&self) -> u64 {
        self.end.seq
    }

    /// Of the last line in the file.
    pub(super) fn written_seq(&self) -> u64 {
        self.written.seq
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Adds the line of an encoded event.
    pub(super) fn add(&mut self, body: &[u8]) -> Recorded {
        self.clock.turn();
        let id = self.clock.id();
        if self.held.is_empty() && self.day != self.clock.day() {
            self.clock.day().clone_into(&mut self.day);
        }
        let seq = self.end.seq.saturating_add(1);
        let envelope = Envelope { seq, id, second: &self.clock.prefix, micros: self.clock.micros() };
        let hash = link(&mut self.held, &envelope, body, &self.end.hash);
        self.end = End { seq, hash };
        Recorded::of(id, seq)
    }

    /// What is held, to be written by the caller and nobody else.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.held.is_empty() {
            return None;
        }
        let lines = std::mem::take(&mut self.held);
        Some(Batch { lines, end: self.end.clone(), day: self.day.clone(), time: self.clock.last })
    }

    /// A batch is in the file.
    pub(super) fn wrote(&mut self, batch: Batch) {
        let Batch { mut lines, end, .. } = batch;
        self.written = end;
        if self.held.is_empty() {
            lines.clear();
            self.held = lines;
        }
    }

    /// A batch could not be written: every line that is not in the file leaves the chain.
    pub(super) fn forget(&mut self) {
        self.end = self.written.clone();
        self.held.clear();
    }
}

impl Batch {
    /// Of its last line.
    pub(super) fn seq(&self) -> u64 {
        self.end.seq
    }
}

impl Files {
    pub(super) fn new(options: Arc<LogOptions>) -> Self {
        Self { options, current: None, lost: false }
    }

    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.current.as_ref().map(|current| Arc::clone(&current.file))
    }

    /// The next line begins another file.
    pub(super) fn leave(&mut self) {
        self.current = None;
    }

    #[cfg(test)]
    pub(super) fn current_mut(&mut self) -> Option<&mut Current> {
        self.current.as_mut()
    }

    /// Writes whole lines, or none of them.
    pub(super) fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let fits = match &mut self.current {
            Some(current) => current.mend()? && current.takes(batch, &self.options)?,
            None => false,
        };
        if !fits {
            self.begin(batch)?;
        }
        let Some(current) = &mut self.current else { return Err(io::ErrorKind::NotFound.into()) };
        let result = match (&*current.file).write(&batch.lines) {
            Ok(written) if written == batch.lines.len() => {
                current.length = current.length.saturating_add(written as u64);
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
    fn begin(&mut self, batch: &Batch) -> io::Result<()> {
        if let (Some(current), Durability::Disk) = (self.current.take(), self.options.durability) {
            let synced = current.file.sync_data();
            self.lost |= synced.is_err();
            synced?;
        }
        let day = batch.day.clone();
        let file = Arc::new(begin_file(&self.options.dir, &day, self.options.durability)?);
        self.current = Some(Current { file, day, length: 0, dirty: false, seen: batch.time });
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

    fn takes(&mut self, batch: &Batch, options: &LogOptions) -> io::Result<bool> {
        let room = options.file_bytes_max.get().saturating_sub(self.length);
        if self.day != batch.day || (batch.lines.len() as u64 > room && self.length > 0) {
            return Ok(false);
        }
        if batch.time.duration_since(self.seen) < SEEN_MAX {
            return Ok(true);
        }
        self.seen = batch.time;
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
