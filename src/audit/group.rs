//! Group commit: whoever comes first writes the lines of all, and a thread those that nobody waits for.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::log::{AuditError, Recorded};
use super::writer::{Chain, Files};
use crate::config::Durability;

/// Lines that may wait are held back up to this size.
pub(super) const HELD_BYTES_MAX: usize = 64 * 1024;
/// Batches that one session's thread writes for others before the flusher goes on.
const ROUNDS_MAX: u32 = 8;
/// More than one line a write, by the average in `crowd`.
const CROWDED: u32 = 71;
/// Of so many lines one waits for others while a write takes a single one, to see whether there are any.
const PROBED: u32 = 16;
/// How long a line may be held back.
const HELD: Duration = Duration::from_millis(20);
/// After so many rounds without a line the flusher rests.
const QUIET_ROUNDS: u32 = 50;

/// What the flusher's thread shares with the log.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told when lines are held while the flusher rests, and when the log closes.
    held: Condvar,
    durability: Durability,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) chain: Chain,
    /// With whoever writes, while someone does.
    pub(super) files: Option<Files>,
    /// The file last written, for those who sync it.
    pub(super) file: Option<Arc<File>>,
    /// Those whose lines another writes, by their last line; told whether it is in the file.
    waiting: Vec<(u64, oneshot::Sender<bool>)>,
    /// Someone waits for lines that were added while another wrote.
    relied: bool,
    /// Lines that had to be written, ever.
    asked: u32,
    /// Lines that must be written, added since the last write began.
    joined: u32,
    /// What writes took of them, as a moving average in 64ths.
    pub(super) crowd: u32,
    pub(super) synced: u64,
    /// Nothing up to here that is not yet acknowledged ever is.
    failed: u64,
    pub(super) healthy: bool,
    /// Writes that failed, and took the lines they had with them.
    failures: u64,
    /// The file must not be used again.
    leave: bool,
    /// The flusher waits to be told.
    resting: bool,
    closed: bool,
}

impl State {
    pub(super) fn is_durable(&self, seq: u64) -> Result<bool, AuditError> {
        if seq <= self.failed { Err(AuditError::NotDurable) } else { Ok(seq <= self.synced) }
    }

    pub(super) fn note_sync(&mut self, seq: u64, fine: bool) {
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
pub(super) enum Fate {
    Known(io::Result<bool>),
    /// Nobody writes it yet; so many writes had failed.
    Open(u64),
    /// Another writes it, and tells.
    Awaited(oneshot::Receiver<bool>),
}

impl Shared {
    /// Goes on behind `chain`.
    pub(super) fn of(chain: Chain, files: Files, durability: Durability) -> Self {
        let state = State {
            synced: chain.seq(),
            chain,
            files: Some(files),
            file: None,
            waiting: Vec::new(),
            relied: false,
            asked: 0,
            joined: 0,
            crowd: 64,
            failed: 0,
            healthy: true,
            failures: 0,
            leave: false,
            resting: false,
            closed: false,
        };
        Self { state: Mutex::new(state), held: Condvar::new(), durability }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, and writes it unless another is writing or others are likely to add theirs at once.
    pub(super) fn put(&self, body: &[u8]) -> (Recorded, Fate) {
        let mut state = self.lock();
        let recorded = state.chain.add(body);
        let seq = recorded.seq();
        state.joined = state.joined.saturating_add(1);
        state.asked = state.asked.wrapping_add(1);
        let crowded = state.crowd > CROWDED || state.asked.is_multiple_of(PROBED);
        match state.files.take_if(|_| !crowded) {
            Some(files) => (recorded, Fate::Known(self.write(files, state, seq))),
            None => (recorded, Fate::Open(state.failures)),
        }
    }

    /// Sees to it that a line is written that was left open when so many writes had failed; whoever is
    /// `patient` asks again where another is writing.
    pub(super) fn close(&self, seq: u64, failures: u64, patient: bool) -> Fate {
        let mut state = self.lock();
        if state.failures != failures {
            // What was added before is not surely in the file, and its number may be another line's.
            return Fate::Known(Ok(false));
        }
        if state.chain.written_seq() >= seq {
            return Fate::Known(Ok(true));
        }
        if let Some(files) = state.files.take() {
            return Fate::Known(self.write(files, state, seq));
        }
        state.relied = true;
        if patient {
            return Fate::Open(failures);
        }
        let (tell, told) = oneshot::channel();
        state.waiting.push((seq, tell));
        Fate::Awaited(told)
    }

    /// Adds a line that waits for the next write.
    pub(super) fn put_soon(&self, body: &[u8]) -> Result<(), AuditError> {
        let mut state = self.lock();
        if state.chain.held_bytes() > HELD_BYTES_MAX {
            let Some(files) = state.files.take() else { return Err(AuditError::NotWritten) };
            let seq = state.chain.seq();
            self.write(files, state, seq)?;
            state = self.lock();
        }
        let _ = state.chain.add(body);
        if std::mem::take(&mut state.resting) {
            self.held.notify_one();
        }
        Ok(())
    }

    /// Writes what is held, and what others rely on meanwhile; nobody waits for the lock while it does.
    /// Whether line `seq` is in the file.
    fn write<'a>(&'a self, mut files: Files, mut state: MutexGuard<'a, State>, seq: u64) -> io::Result<bool> {
        let mut fate = Ok(false);
        for _ in 0..ROUNDS_MAX {
            state.relied = false;
            let Some(batch) = state.chain.take() else { break };
            let joined = std::mem::take(&mut state.joined);
            state.crowd = state.crowd - state.crowd / 8 + joined.saturating_mul(8);
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
                    state.failures = state.failures.wrapping_add(1);
                    state.chain.forget();
                    state.tell(last, false);
                    if !matches!(fate, Ok(true)) {
                        fate = Err(error);
                    }
                    break;
                }
            }
            if !state.relied {
                break;
            }
        }
        if std::mem::take(&mut state.leave) {
            files.leave();
        }
        state.files = Some(files);
        if state.relied {
            state.resting = false;
            self.held.notify_one();
        }
        fate
    }

    /// Writes what is held, and ends the flusher.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.closed = true;
        if let Some(files) = state.files.take() {
            let seq = state.chain.seq();
            // Nobody is left to tell; what was acknowledged is in the file.
            let _ = self.write(files, state, seq);
        }
        self.held.notify_all();
    }

    /// The flusher's thread, to the end of the log.
    pub(super) fn keep_flushing(&self) {
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
            if !state.relied || state.files.is_none() {
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
