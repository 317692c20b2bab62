//! What was passed on and is not answered yet, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::meter::Meter;
use super::step::Estimate;
use crate::policy::Obligations;
use crate::refusal::{Code, Refusal};
use crate::sql::Facts;

/// A statement that was recorded and admitted, ready to be passed on.
#[derive(Debug)]
pub struct Passage {
    /// Of its entry in the audit.
    pub record: Uuid,
    pub facts: Arc<Facts>,
    pub obligations: Obligations,
    /// Who, which rule, which entry: the DETAIL of a limit that strikes while it runs.
    pub blame: String,
}

/// An Execute of COPY FROM STDIN: the server takes no Sync between its CopyInResponse and CopyDone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyIn {
    /// Not begun, or its data has ended.
    Closed,
    /// CopyDone was passed on before CopyInResponse came, behind this many Syncs.
    Foreseen(usize),
    /// The server takes data.
    Open,
}

/// A statement that runs upstream.
#[derive(Debug)]
pub struct Running {
    pub record: Uuid,
    pub facts: Arc<Facts>,
    pub meter: Meter,
    pub started: Instant,
    pub deadline: Option<Instant>,
    pub seconds: Option<u64>,
    /// The portal of the extended protocol whose rows these are.
    pub portal: Option<String>,
    /// Tollgate stopped it: what the client is told in place of the server's error.
    pub killed: Option<Refusal>,
    /// Where it stands in taking data from the client.
    pub copy_in: CopyIn,
    /// Tollgate cancelled it because the client has all the rows it may have.
    pub cut: bool,
    pub blame: String,
}

impl Running {
    pub(super) fn new(passage: Passage, carried: u64, portal: Option<String>, now: Instant) -> Self {
        let Passage { record, facts, obligations, blame } = passage;
        let seconds = obligations.seconds.map(|s| s.get());
        Self {
            record,
            facts,
            meter: Meter::new(&obligations, carried),
            started: now,
            deadline: seconds.and_then(|s| now.checked_add(Duration::from_secs(s))),
            seconds,
            portal,
            killed: None,
            copy_in: CopyIn::Closed,
            cut: false,
            blame,
        }
    }

    /// The statement before it in its string is done: its own time begins.
    pub(super) fn restart_clock(&mut self, now: Instant) {
        self.started = now;
        self.deadline = self.seconds.and_then(|s| now.checked_add(Duration::from_secs(s)));
    }

    /// What the client is told when the clock ran out.
    pub(super) fn out_of_time(&self) -> Refusal {
        let seconds = self.seconds.unwrap_or_default();
        Refusal::by(Code::TimeLimit, format_args!("statement ran longer than its limit of {seconds} s"))
            .with_detail(self.blame.clone())
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
}

impl Run {
    pub fn of(statements: VecDeque<Running>) -> Self {
        Self { total: statements.len(), statements }
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
                | Self::Bind { .. }
                | Self::Describe
                | Self::CloseStatement { .. }
                | Self::ClosePortal { .. }
                | Self::ExecuteNothing
        )
    }

    /// Its success or failure changes what later statements mean.
    pub fn unsettles(&self) -> bool {
        match self {
            Self::Query(run) => run.statements.iter().any(|running| changes_scope(&running.facts)),
            Self::Execute(running) => changes_scope(&running.facts),
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
        || facts.targets().iter().any(|relation| relation.is_temp())
}
