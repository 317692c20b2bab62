//! The append-only log: one writer per directory, one write a line, the chain over all files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::chain::{Break, Hash};
use super::encode::{Envelope, encode};
use super::record::Event;
use super::tail;
use crate::config::Durability;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the audit directory `{0}` is in use by another process")]
    InUse(PathBuf),
    #[error("the audit file `{path}` does not end in a whole record: {reason}")]
    Broken { path: PathBuf, reason: Break },
    #[error("cannot write the audit: {0}")]
    Io(#[from] io::Error),
    #[error("the record did not reach the disk")]
    NotDurable,
}

#[derive(Debug, Clone)]
pub struct LogOptions {
    pub dir: PathBuf,
    /// The name of this process in every line.
    pub node: String,
    pub durability: Durability,
    /// A line that would cross it begins the next file.
    pub file_bytes_max: NonZeroU64,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Of a torn last line, cut off.
    pub torn_bytes: u64,
    /// 0 where the log is empty.
    pub last_seq: u64,
}

/// Proof that an event is in the log: only [`Log`] makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is recorded may go on; dropping the proof forwards nothing"]
pub struct Recorded {
    id: Uuid,
    seq: u64,
}

impl Recorded {
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// The log; clones append to the same.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: LogOptions,
    state: Mutex<State>,
    // One sync at a time: it covers everything appended before it began.
    syncing: Arc<tokio::sync::Mutex<()>>,
    // A sync's error is told once: no other sync may be acknowledged before it is noted.
    sync: Mutex<()>,
    // Held for the lock it carries.
    _lock: File,
}

#[derive(Debug)]
struct State {
    current: Option<Current>,
    seq: u64,
    prev: Hash,
    last_time: Timestamp,
    line: Vec<u8>,
    synced: u64,
    /// Nothing up to here that is not yet acknowledged ever is.
    failed: u64,
    healthy: bool,
}

#[derive(Debug)]
struct Current {
    file: Arc<File>,
    day: String,
    length: u64,
    /// Holds bytes beyond `length` that could not be cut off.
    dirty: bool,
}

impl Log {
    /// Opens or begins the log, and cuts off what a crash left of a last line.
    ///
    /// # Errors
    /// Another process holds the directory, its last record is broken, or the disk refuses.
    pub fn open(options: LogOptions) -> Result<(Self, Opened), AuditError> {
        DirBuilder::new().recursive(true).mode(0o750).create(&options.dir)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o640)
            .open(options.dir.join(".lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => AuditError::InUse(options.dir.clone()),
            fs::TryLockError::Error(error) => AuditError::Io(error),
        })?;
        let (last, torn_bytes) = tail::recover(&options.dir)?;
        let last_time =
            last.as_ref().and_then(|link| link.time.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let (seq, prev) = last.map_or((0, Hash::first()), |link| (link.seq, link.hash));
        let state = State {
            current: None,
            seq,
            prev,
            last_time,
            line: Vec::new(),
            synced: seq,
            failed: 0,
            healthy: true,
        };
        let log = Inner {
            options,
            state: Mutex::new(state),
            syncing: Arc::default(),
            sync: Mutex::default(),
            _lock: lock,
        };
        Ok((Self(Arc::new(log)), Opened { torn_bytes, last_seq: seq }))
    }

    /// Whether the last append and the last sync went well.
    pub fn healthy(&self) -> bool {
        self.0.state().healthy
    }

    /// Appends, and waits for the disk where the options ask for it.
    ///
    /// Cancel safe: a dropped call may leave the line in the log, without its proof.
    ///
    /// # Errors
    /// The line is not in the log, or not surely on the disk.
    pub async fn append(&self, event: &Event) -> Result<Recorded, AuditError> {
        let recorded = self.write(event)?;
        if self.0.options.durability == Durability::Os {
            return Ok(recorded);
        }
        let turn = Arc::clone(&self.0.syncing).lock_owned().await;
        if self.0.state().is_durable(recorded.seq)? {
            return Ok(recorded);
        }
        let inner = Arc::clone(&self.0);
        let synced = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.sync()
        });
        synced.await.map_err(io::Error::other)??;
        if self.0.state().is_durable(recorded.seq)? { Ok(recorded) } else { Err(AuditError::NotDurable) }
    }

    /// Appends on this thread; with [`Durability::Disk`] it blocks for the disk.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_now(&self, event: &Event) -> Result<Recorded, AuditError> {
        let recorded = self.write(event)?;
        if self.0.options.durability == Durability::Disk {
            self.0.sync()?;
            if !self.0.state().is_durable(recorded.seq)? {
                return Err(AuditError::NotDurable);
            }
        }
        Ok(recorded)
    }

    /// Appends without waiting for the disk: for what may be lost in a power cut, as outcomes may.
    ///
    /// # Errors
    /// The line is not in the log.
    pub fn append_unsynced(&self, event: &Event) -> Result<(), AuditError> {
        self.write(event).map(drop)
    }

    fn write(&self, event: &Event) -> Result<Recorded, AuditError> {
        let mut state = self.0.state();
        let written = state.write(&self.0.options, event);
        // Where lines go to the disk, only a sync that went well makes it healthy again.
        state.healthy = written.is_ok() && (state.healthy || self.0.options.durability == Durability::Os);
        Ok(written?)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs what is appended so far; the lock is not held meanwhile.
    fn sync(&self) -> io::Result<()> {
        let _one = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        let (seq, file) = {
            let state = self.state();
            (state.seq, state.current.as_ref().map(|current| Arc::clone(&current.file)))
        };
        let Some(file) = file else { return Ok(()) };
        let result = file.sync_data();
        self.state().note_sync(seq, result.is_ok());
        result
    }
}

impl State {
    fn is_durable(&self, seq: u64) -> Result<bool, AuditError> {
        if seq <= self.failed { Err(AuditError::NotDurable) } else { Ok(seq <= self.synced) }
    }

    fn note_sync(&mut self, seq: u64, fine: bool) {
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

    fn write(&mut self, options: &LogOptions, event: &Event) -> io::Result<Recorded> {
        let time = Timestamp::now().max(self.last_time);
        let recorded = Recorded { id: Uuid::now_v7(), seq: self.seq.saturating_add(1) };
        let mut line = std::mem::take(&mut self.line);
        let envelope = Envelope { seq: recorded.seq, id: recorded.id, time, node: &options.node };
        let hash = encode(&mut line, &envelope, event, &self.prev);
        let written = self.write_line(options, &time.strftime("%Y-%m-%d").to_string(), &line);
        self.line = line;
        written?;
        self.seq = recorded.seq;
        self.prev = hash;
        self.last_time = time;
        Ok(recorded)
    }

    fn write_line(&mut self, options: &LogOptions, day: &str, line: &[u8]) -> io::Result<()> {
        let size = line.len() as u64;
        let fits = match &mut self.current {
            Some(current) => current.mend()? && current.takes(day, size, options)?,
            None => false,
        };
        if !fits {
            self.rotate(options, day)?;
        }
        let Some(current) = &mut self.current else { return Err(io::ErrorKind::NotFound.into()) };
        let result = match (&*current.file).write(line) {
            Ok(written) if written == line.len() => {
                current.length = current.length.saturating_add(size);
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
    fn rotate(&mut self, options: &LogOptions, day: &str) -> io::Result<()> {
        if let (Some(current), Durability::Disk) = (&self.current, options.durability) {
            let result = current.file.sync_data();
            self.note_sync(self.seq, result.is_ok());
            result?;
        }
        self.current = None;
        let file = begin_file(&options.dir, day, options.durability)?;
        self.current = Some(Current { file: Arc::new(file), day: day.to_owned(), length: 0, dirty: false });
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

    fn takes(&self, day: &str, size: u64, options: &LogOptions) -> io::Result<bool> {
        let room = options.file_bytes_max.get().saturating_sub(self.length);
        // A file that was removed takes writes and keeps nothing.
        Ok(self.day == day && (size <= room || self.length == 0) && self.file.metadata()?.nlink() > 0)
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

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
