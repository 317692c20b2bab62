//! The append-only log: one writer per directory, one write a line, the chain over all files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::chain::Break;
use super::encode::encode;
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

/// What the flusher's thread shares with the log.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when lines are held while the flusher rests, and when the log closes.
    held: Condvar,
    durability: Durability,
}

#[derive(Debug)]
struct State {
    chain: Chain,
    /// With whoever writes, while someone does.
    files: Option<Files>,
    /// The file last written, for those who sync it.
    file: Option<Arc<File>>,
    /// Those whose lines another writes, by their last line; told whether it is in the file.
    waiting: Vec<(u64, oneshot::Sender<bool>)>,
    synced: u64,
    /// Nothing up to here that is not yet acknowledged ever is.
    failed: u64,
    healthy: bool,
    /// The file must not be used again.
    leave: bool,
    /// The flusher waits to be told.
    resting: bool,
    closed: bool,
}

/// Lines that may wait are held back up to this size.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// Batches that one session's thread writes for others before the flusher goes on.
const ROUNDS_MAX: u32 = 8;
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
        let chain = Chain::new(last);
        let opened = Opened { torn_bytes, last_seq: chain.seq() };
        let state = State {
            synced: chain.seq(),
            chain,
            files: Some(Files::new(Arc::clone(&options))),
            file: None,
            waiting: Vec::new(),
            failed: 0,
            healthy: true,
            leave: false,
            resting: false,
            closed: false,
        };
        let durability = options.durability;
        let shared = Arc::new(Shared { state: Mutex::new(state), held: Condvar::new(), durability });
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
        let body = encode(event, &self.0.options.node);
        let (recorded, fate) = shared.put(Uuid::now_v7(), &body);
        let written = match fate {
            Fate::Known(written) => written?,
            Fate::Awaited(told) => told.await.unwrap_or(false),
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
        let shared = &self.0.shared;
        let body = encode(event, &self.0.options.node);
        let mut state = shared.lock();
        if state.chain.held_bytes() > HELD_BYTES_MAX {
            let Some(files) = state.files.take() else { return Err(AuditError::NotWritten) };
            let seq = state.chain.seq();
            shared.write(files, state, seq)?;
            state = shared.lock();
        }
        let _ = state.chain.add(Uuid::now_v7(), &body);
        if std::mem::take(&mut state.resting) {
            shared.held.notify_one();
        }
        Ok(())
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
        let mut state = self.shared.lock();
        state.closed = true;
        if let Some(files) = state.files.take() {
            let seq = state.chain.seq();
            // Nobody is left to tell; what was acknowledged is in the file.
            let _ = self.shared.write(files, state, seq);
        }
        self.shared.held.notify_all();
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
            self.failed = self.chain.seq();
            self.healthy = false;
            match &mut self.files {
                Some(files) => files.leave(),
                None => self.leave = true,
            }
        }
    }

    /// Tells those whose lines are in the file, up to `seq`, or all that theirs are not.
    fn tell(&mut self, seq: u64, written: bool) {
        for (of, told) in std::mem::take(&mut self.waiting) {
            if !written || of <= seq {
                let _ = told.send(written);
            } else {
                self.waiting.push((of, told));
            }
        }
    }
}

/// Whether a line is in the file.
enum Fate {
    Known(io::Result<bool>),
    /// Another writes it, and tells.
    Awaited(oneshot::Receiver<bool>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, and writes it unless another is writing.
    fn put(&self, id: Uuid, body: &[u8]) -> (Recorded, Fate) {
        let mut state = self.lock();
        let recorded = state.chain.add(id, body);
        let seq = recorded.seq;
        let Some(files) = state.files.take() else {
            let (tell, told) = oneshot::channel();
            state.waiting.push((seq, tell));
            return (recorded, Fate::Awaited(told));
        };
        (recorded, Fate::Known(self.write(files, state, seq)))
    }

    /// Writes what is held, and what others add meanwhile; nobody waits for the lock while it does.
    /// Whether line `seq` is in the file.
    fn write<'a>(&'a self, mut files: Files, mut state: MutexGuard<'a, State>, seq: u64) -> io::Result<bool> {
        let mut fate = Ok(false);
        for _ in 0..ROUNDS_MAX {
            let Some(batch) = state.chain.take() else { break };
            drop(state);
            let written = files.write(&batch);
            state = self.lock();
            let last = batch.seq();
            if last >= seq && !matches!(fate, Ok(true)) {
                fate = Ok(written.is_ok());
            }
            match written {
                Ok(()) => {
                    // Where lines go to the disk, only a sync that went well makes it healthy again.
                    state.healthy |= self.durability == Durability::Os;
                    state.chain.wrote(batch);
                    state.file = files.file();
                    state.tell(last, true);
                }
                Err(error) => {
                    if std::mem::take(&mut files.lost) {
                        state.failed = state.chain.seq();
                    }
                    state.healthy = false;
                    state.chain.forget();
                    state.tell(last, false);
                    if !matches!(fate, Ok(true)) {
                        fate = Err(error);
                    }
                    break;
                }
            }
            if state.waiting.is_empty() {
                break;
            }
        }
        if std::mem::take(&mut state.leave) {
            files.leave();
        }
        state.files = Some(files);
        if !state.waiting.is_empty() {
            state.resting = false;
            self.held.notify_one();
        }
        fate
    }

    /// The flusher's thread, to the end of the log.
    fn keep_flushing(&self) {
        let mut quiet = 0;
        let mut seen = 0;
        let mut state = self.lock();
        while !state.closed {
            if quiet >= QUIET_ROUNDS && state.chain.held_bytes() == 0 {
                state.resting = true;
                state = self.held.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.resting = false;
                quiet = 0;
                continue;
            }
            // While another writes, it needs the lock.
            if state.waiting.is_empty() || state.files.is_none() {
                state = self.held.wait_timeout(state, HELD).unwrap_or_else(PoisonError::into_inner).0;
            }
            quiet = if state.chain.seq() == seen { quiet + 1 } else { 0 };
            seen = state.chain.seq();
            if let Some(files) = state.files.take() {
                // A failure is told by the next append that must go to the file.
                let _ = self.write(files, state, seen);
                state = self.lock();
            }
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
