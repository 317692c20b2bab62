//! COPY FROM STDIN: while rows are awaited, the server ignores a Sync and answers it by nothing.

use super::Session;
use super::pending::{Pending, Running};
use super::step::{Refused, Step};
use crate::refusal::Refusal;
use crate::sql::Facts;
use crate::wire::Frontend;

/// How far a COPY FROM STDIN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copying {
    /// It is no such statement, or its client has sent all.
    No,
    /// The server has not said whether it takes rows.
    Asked,
    /// The server takes rows.
    Open,
}

impl Copying {
    pub(super) fn of(facts: &Facts) -> Self {
        let inward = facts.command == "COPY" && !facts.writes.is_empty() && facts.egress.is_empty();
        if inward { Self::Asked } else { Self::No }
    }
}

impl Session {
    /// CopyInResponse.
    pub(super) fn copy_opened(&mut self) {
        if let Some(running) = self.front_mut().filter(|running| running.copying == Copying::Asked) {
            running.copying = Copying::Open;
        }
    }

    /// CopyDone or CopyFail goes on: it ends the first COPY that was not ended yet.
    pub(super) fn copy_ended(&mut self) -> Step {
        if let Some(running) = self.copy_mut() {
            running.copying = Copying::No;
        }
        Step::Pass
    }

    /// What becomes of a Sync where a COPY may be awaiting rows; `None` where none is.
    pub(super) fn sync_in_copy(&mut self) -> Option<Step> {
        self.copy_mut().map(|running| match running.copying {
            // Whether the server ignores it or waits for it hangs on whether the COPY could begin.
            Copying::Asked | Copying::No => Step::Hold,
            Copying::Open => Step::Skip,
        })
    }

    /// A message that the server ends the connection for, as it awaits rows. It is not passed on, where a
    /// COPY that fails meanwhile would make it run: one of its kind that fails stands in its place.
    pub(super) fn out_of_place(&mut self, message: &Frontend<'_>) -> Option<Step> {
        self.front_mut().filter(|running| running.copying == Copying::Open)?;
        let in_query = match message {
            Frontend::CopyData
            | Frontend::CopyDone
            | Frontend::CopyFail
            | Frontend::Flush
            | Frontend::Sync
            | Frontend::Terminate => return None,
            Frontend::Query(_) => true,
            Frontend::Parse { .. }
            | Frontend::Bind { .. }
            | Frontend::Describe(_)
            | Frontend::Execute { .. }
            | Frontend::Close(_)
            | Frontend::FunctionCall => false,
        };
        let refusal = Refusal::fault("08P01", "unexpected message during COPY from stdin");
        let asked = self.asked_for_fault();
        Some(Step::refuse(Refused { refusal, asked, protests: Vec::new(), in_query }))
    }

    /// The first COPY whose client has not sent all.
    fn copy_mut(&mut self) -> Option<&mut Running> {
        let open = |running: &&mut Running| running.copying != Copying::No;
        self.pending.iter_mut().find_map(|pending| match pending {
            Pending::Query(run) => run.statements.iter_mut().find(open),
            Pending::Execute(running) => Some(&mut **running).filter(open),
            _ => None,
        })
    }
}
