//! COPY FROM STDIN by the extended protocol: clients send Sync behind Execute and again behind CopyDone, and
//! the server ignores those it reads while it takes data.

use super::Session;
use super::pending::{CopyIn, Pending, Running};

impl Session {
    /// CopyInResponse: Syncs passed on behind the Execute are not answered, but for those behind CopyDone.
    pub(super) fn copy_begins(&mut self) {
        let Some(Pending::Execute(running)) = self.pending.front_mut() else { return };
        let (ignored, then) = match running.copy_in {
            CopyIn::Foreseen(syncs) => (syncs, CopyIn::Closed),
            CopyIn::Closed | CopyIn::Open => (usize::MAX, CopyIn::Open),
        };
        running.copy_in = then;
        let mut left = ignored;
        let before = self.pending.len();
        self.pending.retain(|pending| {
            let ignores = left > 0 && matches!(pending, Pending::Sync);
            left -= usize::from(ignores);
            !ignores
        });
        let gone = u64::try_from(before - self.pending.len()).unwrap_or_default();
        self.epoch_answered = self.epoch_answered.wrapping_add(gone);
        self.open_pipeline = !self.pending.iter().any(Pending::until_ready);
    }

    /// Whether the server takes data, and so no Sync.
    pub(super) fn is_copying_in(&self) -> bool {
        matches!(self.pending.front(), Some(Pending::Execute(running)) if running.copy_in == CopyIn::Open)
    }

    /// CopyDone or CopyFail is passed on.
    pub(super) fn copy_ends(&mut self) {
        if self.is_copying_in() {
            if let Some(Pending::Execute(running)) = self.pending.front_mut() {
                running.copy_in = CopyIn::Closed;
            }
            return;
        }
        let copies = |running: &Running| running.facts.command == "COPY" && running.copy_in == CopyIn::Closed;
        let found = self.pending.iter().position(|pending| match pending {
            Pending::Execute(running) => copies(running),
            _ => false,
        });
        let Some(at) = found else { return };
        let syncs = self.pending.iter().skip(at).filter(|pending| matches!(pending, Pending::Sync)).count();
        if let Some(Pending::Execute(running)) = self.pending.get_mut(at) {
            running.copy_in = CopyIn::Foreseen(syncs);
        }
    }
}
