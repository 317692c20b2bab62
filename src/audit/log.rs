//! The append-only log: one writer per directory, one write a line, the chain over all files.

use std::cell::RefCell;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::chain::Break;
use super::encode::encode;
use super::group::{Fate, HELD_BYTES_MAX, Shared};
use super::record::Event;
use super::tail;
use super::writer::{Chain, Files};
use crate::config::Durability;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the audit directory `{0}` is in use by another process")]
    InUse(PathBuf),
    #[error("the audit file `{path}` does not end in a whole record: {reason}")]
    Broken { path: PathBuf, reason: Break },
    #[error("cannot write the audit: {0}")]
    Io(#[from] io::Error),
    #[error("cannot write the audit, with the lines of others")]
    NotWritten,
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

/// Turns of its thread that a line waits for a write before it asks to be told: to be woken by another
/// thread costs more than a look, and a disk may hang.
const YIELDS_MAX: u32 = 4;

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
        let chain = Chain::new(last);
        let opened = Opened { torn_bytes, last_seq: chain.seq() };
        let shared = Arc::new(Shared::of(chain, Files::new(Arc::clone(&options)), options.durability));
        let flushed = Arc::clone(&shared);
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || flushed.keep_flushing())?;
        let log = Inner { options, shared, syncing: Arc::default(), sync: Mutex::default(), _lock: lock };
        Ok((Self(Arc::new(log)), opened))
    }

    /// Whether the last append and the last sync went well.
    pub fn healthy(&self) -> bool {
        self.0.shared.lock().healthy
    }

    /// Appends, and waits for the disk where the options ask for it.
    ///
    /// Cancel safe: a dropped call may leave the line in the log, without its proof.
    ///
    /// # Errors
    /// The line is not in the log, or not surely on the disk.
    pub async fn append(&self, event: &Event<'_>) -> Result<Recorded, AuditError> {
        let shared = &self.0.shared;
        let (recorded, mut fate) = self.encoded(event, |body| shared.put(body));
        for patient in (0..YIELDS_MAX).map(|round| round + 1 < YIELDS_MAX) {
            let Fate::Open(failures) = fate else { break };
            // Other sessions that are ready add their lines meanwhile, and one write takes them all.
            tokio::task::yield_now().await;
            fate = shared.close(recorded.seq, failures, patient);
        }
        let written = match fate {
            Fate::Known(written) => written?,
            Fate::Awaited(told) => told.await.unwrap_or(false),
            Fate::Open(_) => false,
        };
        if !written {
            return Err(AuditError::NotWritten);
        }
        if self.0.options.durability == Durability::Disk {
            self.settle(recorded.seq).await?;
        }
        Ok(recorded)
    }

    /// Waits until a line is on the disk.
    async fn settle(&self, seq: u64) -> Result<(), AuditError> {
        let turn = Arc::clone(&self.0.syncing).lock_owned().await;
        if self.0.shared.lock().is_durable(seq)? {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        let synced = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.sync()
        });
        synced.await.map_err(io::Error::other)??;
        if self.0.shared.lock().is_durable(seq)? { Ok(()) } else { Err(AuditError::NotDurable) }
    }

    /// Adds a line that a crash may take, as outcomes may: it goes to the file with the next that must,
    /// or a moment later.
    ///
    /// # Errors
    /// The line is not in the log.
    pub fn append_soon(&self, event: &Event<'_>) -> Result<(), AuditError> {
        self.encoded(event, |body| self.0.shared.put_soon(body))
    }

    /// What `of` makes of the event's encoding, which stands in a buffer that is used again and again.
    fn encoded<T>(&self, event: &Event<'_>, of: impl FnOnce(&[u8]) -> T) -> T {
        thread_local!(static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        BODY.with_borrow_mut(|body| {
            encode(body, event, &self.0.options.node);
            let outcome = of(body);
            if body.capacity() > HELD_BYTES_MAX {
                *body = Vec::new();
            }
            outcome
        })
    }
}

impl Inner {
    /// Syncs what is in the file so far; the lock is not held meanwhile.
    fn sync(&self) -> io::Result<()> {
        let _one = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        let (seq, file) = {
            let state = self.shared.lock();
            (state.chain.written_seq(), state.file.clone())
        };
        let Some(file) = file else { return Ok(()) };
        let result = file.sync_data();
        self.shared.lock().note_sync(seq, result.is_ok());
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.end();
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
