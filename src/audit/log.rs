//! The append-only log: one writer per directory, one write a line, the chain over all files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::chain::Break;
use super::record::Event;
use super::tail;
use super::writer::{When, Writer};
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

impl Recorded {
    pub(super) const fn of(id: Uuid, seq: u64) -> Self {
        Self { id, seq }
    }
}

/// The log; clones append to the same.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Arc<LogOptions>,
    shared: Arc<Shared>,
    // One sync at a time: it covers everything appended before it began.
    syncing: Arc<tokio::sync::Mutex<()>>,
    // A sync's error is told once: no other sync may be acknowledged before it is noted.
    sync: Mutex<()>,
    // Held for the lock it carries.
    _lock: File,
}

/// What the flusher's thread shares with the log.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when lines are held while the flusher rests, and when the log closes.
    held: Condvar,
}

#[derive(Debug)]
struct State {
    writer: Writer,
    /// The flusher waits to be told.
    resting: bool,
    closed: bool,
}

/// How long a line may be held back.
const HELD: Duration = Duration::from_millis(20);
/// After so many rounds without a line the flusher rests.
const QUIET_ROUNDS: u32 = 50;

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
        let options = Arc::new(options);
        let writer = Writer::new(Arc::clone(&options), last);
        let opened = Opened { torn_bytes, last_seq: writer.seq() };
        let state = Mutex::new(State { writer, resting: false, closed: false });
        let shared = Arc::new(Shared { state, held: Condvar::new() });
        let flushed = Arc::clone(&shared);
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || flushed.keep_flushing())?;
        let log = Inner { options, shared, syncing: Arc::default(), sync: Mutex::default(), _lock: lock };
        Ok((Self(Arc::new(log)), opened))
    }

    /// Whether the last append and the last sync went well.
    pub fn healthy(&self) -> bool {
        self.0.shared.lock().writer.healthy()
    }

    /// Appends, and waits for the disk where the options ask for it.
    ///
    /// Cancel safe: a dropped call may leave the line in the log, without its proof.
    ///
    /// # Errors
    /// The line is not in the log, or not surely on the disk.
    pub async fn append(&self, event: &Event<'_>) -> Result<Recorded, AuditError> {
        let recorded = self.write(event)?;
        if self.0.options.durability == Durability::Os {
            return Ok(recorded);
        }
        let turn = Arc::clone(&self.0.syncing).lock_owned().await;
        if self.0.shared.lock().writer.is_durable(recorded.seq)? {
            return Ok(recorded);
        }
        let inner = Arc::clone(&self.0);
        let synced = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.sync()
        });
        synced.await.map_err(io::Error::other)??;
        if self.0.shared.lock().writer.is_durable(recorded.seq)? {
            Ok(recorded)
        } else {
            Err(AuditError::NotDurable)
        }
    }

    /// Appends on this thread; with [`Durability::Disk`] it blocks for the disk.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_now(&self, event: &Event<'_>) -> Result<Recorded, AuditError> {
        let recorded = self.write(event)?;
        if self.0.options.durability == Durability::Disk {
            self.0.sync()?;
            if !self.0.shared.lock().writer.is_durable(recorded.seq)? {
                return Err(AuditError::NotDurable);
            }
        }
        Ok(recorded)
    }

    /// Adds a line that a crash may take, as outcomes may: it goes to the file with the next that must,
    /// or a moment later.
    ///
    /// # Errors
    /// The line is not in the log.
    pub fn append_soon(&self, event: &Event<'_>) -> Result<(), AuditError> {
        let mut state = self.0.shared.lock();
        let _ = state.writer.write(event, When::Soon)?;
        if state.resting && state.writer.holds() {
            state.resting = false;
            self.0.shared.held.notify_one();
        }
        Ok(())
    }

    fn write(&self, event: &Event<'_>) -> Result<Recorded, AuditError> {
        Ok(self.0.shared.lock().writer.write(event, When::Now)?)
    }
}

impl Inner {
    /// Syncs what is appended so far; the lock is not held meanwhile.
    fn sync(&self) -> io::Result<()> {
        let _one = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        let (seq, file) = {
            let state = self.shared.lock();
            (state.writer.seq(), state.writer.file())
        };
        let Some(file) = file else { return Ok(()) };
        let result = file.sync_data();
        self.shared.lock().writer.note_sync(seq, result.is_ok());
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        // Nobody is left to tell; what was acknowledged is in the file.
        let _ = state.writer.flush();
        drop(state);
        self.shared.held.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The flusher's thread, to the end of the log.
    fn keep_flushing(&self) {
        let mut state = self.lock();
        let mut quiet = 0;
        let mut seen = 0;
        while !state.closed {
            if quiet >= QUIET_ROUNDS && !state.writer.holds() {
                state.resting = true;
                state = self.held.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.resting = false;
                quiet = 0;
                continue;
            }
            let waited = self.held.wait_timeout(state, HELD).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            quiet = if state.writer.seq() == seen { quiet + 1 } else { 0 };
            seen = state.writer.seq();
            // A failure is told by the next append that must go to the file.
            let _ = state.writer.flush();
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
