//! What was passed on and is not answered yet, in order.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::copying::Copying;
use super::meter::Meter;
use super::prepared::Prepared;
use super::step::Estimate;
use crate::audit::record::SessionIdentity;
use crate::policy::Permit;
use crate::refusal::{Code, Refusal};
use crate::sql::{Facts, Relation};

/// A statement that was recorded and admitted, ready to be passed on.
#[derive(Debug)]
pub struct Passage {
    /// Of its entry in the audit.
    pub record: Uuid,
    pub facts: Arc<Facts>,
    pub permit: Permit,
}

/// A statement that runs upstream.
#[derive(Debug)]
pub struct Running {
    pub record: Uuid,
    pub facts: Arc<Facts>,
    pub meter: Meter,
    pub started: Instant,
    pub deadline: Option<Instant>,
    permit: Permit,
    identity: Arc<SessionIdentity>,
    /// The portal of the extended protocol whose rows these are.
    pub portal: Option<String>,
    /// Tollgate stopped it: what the client is told in place of the server's error.
    pub killed: Option<Refusal>,
    /// Tollgate cancelled it because the client has all the rows it may have.
    pub cut: bool,
    pub copying: Copying,
}

impl Running {
    pub(super) fn new(
        passage: Passage,
        carried: u64,
        portal: Option<String>,
        identity: &Arc<SessionIdentity>,
        now: Instant,
    ) -> Self {
        let Passage { record, facts, permit } = passage;
        let mut running = Self {
            copying: Copying::of(&facts),
            record,
            facts,
            meter: Meter::new(permit.obligations(), carried),
            started: now,
            deadline: None,
            permit,
            identity: Arc::clone(identity),
            portal,
            killed: None,
            cut: false,
        };
        running.restart_clock(now);
        running
    }

    /// Who, which rule, which entry: the DETAIL of a limit that strikes while it runs.
    pub(super) fn blame(&self) -> String {
        let (name, record) = (&self.identity.principal, self.record);
        match &self.permit.obligations().place {
            Some(place) => format!("{name}, rule {place}, audit {record}"),
            None => format!("{name}, audit {record}"),
        }
    }

    /// The statement before it in its string is done: its own time begins.
    pub(super) fn restart_clock(&mut self, now: Instant) {
        self.started = now;
        let seconds = self.permit.obligations().seconds;
        self.deadline = seconds.and_then(|s| now.checked_add(Duration::from_secs(s.get())));
    }

    /// What the client is told when the clock ran out.
    pub(super) fn out_of_time(&self) -> Refusal {
        let seconds = self.permit.obligations().seconds.map_or(0, NonZeroU64::get);
        Refusal::by(Code::TimeLimit, format_args!("statement ran longer than its limit of {seconds} s"))
            .with_detail(self.blame())
            .with_hint(
                "Narrow it: fewer partitions, earlier filters; or ask the data team for a higher limit",
            )
    }
}

/// The statements of one query string.
#[derive(Debug)]
pub(super) struct Run {
    /// Those not yet done; the first runs.
    pub statements: VecDeque<Running>,
    /// How many the string had.
    pub total: usize,
    /// The unnamed statement that it ended.
    pub displaced: Option<Box<Prepared>>,
}

impl Run {
    pub fn of(statements: VecDeque<Running>, displaced: Option<Prepared>) -> Self {
        Self { total: statements.len(), statements, displaced: displaced.map(Box::new) }
    }
}

/// One thing the upstream owes an answer for.
#[derive(Debug)]
pub(super) enum Pending {
    /// A simple query; ends with ReadyForQuery.
    Query(Run),
    /// A poisoned simple query in place of a refused one.
    RefusedQuery(Refusal),
    /// A poisoned simple query that fails an open block after the fact; its error is not shown.
    FailBlock,
    /// EXPLAIN as a simple query; ends with ReadyForQuery, of which the client sees nothing.
    EstimateQuery(Plan),
    Parse {
        name: String,
        /// The unnamed statement that it took the place of.
        displaced: Option<Box<Prepared>>,
    },
    /// Under a name that stands already: the server says what is wrong with it first.
    ParseAgain {
        name: String,
        prepared: Box<Prepared>,
    },
    Bind {
        portal: String,
    },
    Describe,
    CloseStatement {
        name: String,
    },
    ClosePortal {
        name: String,
    },
    Execute(Box<Running>),
    /// Execute of an empty text.
    ExecuteNothing,
    /// A poisoned Parse in place of a refused frame.
    Refused(Refusal),
    /// Parse, Bind, Execute and two Closes of EXPLAIN.
    Estimate {
        plan: Plan,
        closes: u8,
    },
    Sync,
}

/// What EXPLAIN has told so far.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub cost: Option<f64>,
    pub failed: Option<bytes::Bytes>,
    /// The first row where relations are looked up rather than a plan.
    pub view: Option<String>,
    /// Whether relations are looked up.
    pub inspects: bool,
    /// Lines seen.
    pub lines: u64,
    /// Characters to add to an error's position so that it counts in the client's text.
    pub shift: i64,
}

impl Plan {
    /// What it told, once it is complete.
    pub fn estimate(&mut self) -> Estimate {
        if self.inspects { Estimate::View(self.view.take()) } else { Estimate::Cost(self.cost) }
    }
}

impl Pending {
    /// Ends only with ReadyForQuery.
    pub fn until_ready(&self) -> bool {
        match self {
            Self::Query(_)
            | Self::RefusedQuery(_)
            | Self::FailBlock
            | Self::EstimateQuery(_)
            | Self::Sync => true,
            Self::Parse { .. }
            | Self::ParseAgain { .. }
            | Self::Bind { .. }
            | Self::Describe
            | Self::CloseStatement { .. }
            | Self::ClosePortal { .. }
            | Self::Execute(_)
            | Self::ExecuteNothing
            | Self::Refused(_)
            | Self::Estimate { .. } => false,
        }
    }

    /// A step on the way to an Execute, done in no time.
    pub fn is_step(&self) -> bool {
        matches!(
            self,
            Self::Parse { .. }
                | Self::ParseAgain { .. }
                | Self::Bind { .. }
                | Self::Describe
                | Self::CloseStatement { .. }
                | Self::ClosePortal { .. }
                | Self::ExecuteNothing
        )
    }

    /// A query that the server may skip, and with it the end of the unnamed statement; one that takes data
    /// from the client does run by then.
    pub fn may_give_back(&self) -> bool {
        let Self::Query(Run { statements, displaced: Some(_), .. }) = self else { return false };
        !statements.iter().any(|run| run.facts.command == "COPY" && run.facts.changed().next().is_some())
    }

    /// Its success or failure changes what later statements mean.
    pub fn unsettles(&self) -> bool {
        match self {
            Self::Query(run) => run.statements.iter().any(|running| changes_scope(&running.facts)),
            Self::Execute(running) => changes_scope(&running.facts),
            Self::ParseAgain { .. } => true,
            Self::RefusedQuery(_)
            | Self::FailBlock
            | Self::EstimateQuery(_)
            | Self::Parse { .. }
            | Self::Bind { .. }
            | Self::Describe
            | Self::CloseStatement { .. }
            | Self::ClosePortal { .. }
            | Self::ExecuteNothing
            | Self::Refused(_)
            | Self::Estimate { .. }
            | Self::Sync => false,
        }
    }
}

/// Whether a statement that succeeds leaves names, settings or the transaction otherwise than before.
pub(super) fn changes_scope(facts: &Facts) -> bool {
    facts.transaction.is_some()
        || facts.prepared.is_some()
        || facts.cursor.is_some()
        || !facts.session.is_empty()
        || !facts.drops_temp.is_empty()
        || facts.drops_all_temp
        || facts.changed().any(Relation::is_temp)
}
