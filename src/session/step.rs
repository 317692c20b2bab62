//! What the session asks its driver to do: effects as data.

use bytes::Bytes;

use crate::audit::record::{EndUser, OutcomeRecord, Protocol};
use crate::policy::{Permit, Place};
use crate::refusal::Refusal;
use crate::sql::Statement;

/// What becomes of one frame of the client.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// It holds no statement and goes on as it is.
    Pass,
    /// Its statements are to be estimated, admitted and recorded first.
    Gate(Box<Gate>),
    /// It does not go on.
    Refuse(Box<Refused>),
    /// Its meaning hangs on answers still awaited: ask again when they have come.
    Hold,
    /// The server would skip it.
    Skip,
    /// The client says goodbye.
    Terminate,
    /// The connection ends with this error.
    Fatal(Refusal),
}

impl Step {
    pub(super) fn gate(gate: Gate) -> Self {
        Self::Gate(Box::new(gate))
    }

    pub(super) fn refuse(refused: Refused) -> Self {
        Self::Refuse(Box::new(refused))
    }
}

/// A statement that policy allows.
#[derive(Debug)]
pub struct Judged {
    pub statement: Statement,
    pub permit: Permit,
    /// Whatever its plan is, it stays under its cost cap: EXPLAIN need not be asked.
    pub light: bool,
}

impl Judged {
    /// Whether EXPLAIN must say what it costs before it may run.
    pub fn is_weighed(&self) -> bool {
        !self.light && self.permit.obligations().cost.is_some() && self.statement.facts.estimable
    }
}

/// Where in the protocol a gate stands, and what its passage needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateKind {
    Query,
    Execute {
        portal: String,
    },
    /// Only an estimate is wanted here; the portal keeps it for its Execute.
    Bind {
        portal: String,
        statement: String,
    },
}

/// Statements on their way to the upstream.
#[derive(Debug)]
pub struct Gate {
    pub kind: GateKind,
    pub statements: Vec<Judged>,
    pub asked: Asked,
    /// Of the portal, found at its Bind.
    pub estimate: Option<f64>,
}

/// What the record says of who asked and how.
#[derive(Debug, Clone)]
pub struct Asked {
    pub protocol: Protocol,
    pub end_user: Option<EndUser>,
}

/// A refused statement as the record shows it.
#[derive(Debug)]
pub struct Protest {
    pub statement: Statement,
    pub rule: Option<Place>,
    pub reason: String,
}

/// A refused frame.
#[derive(Debug)]
pub struct Refused {
    pub refusal: Refusal,
    pub asked: Asked,
    /// All statements of the frame; the first is the one the refusal speaks of. Empty for a fault of
    /// the protocol, which is no statement.
    pub protests: Vec<Protest>,
    pub in_query: bool,
}

/// What EXPLAIN said.
#[derive(Debug, Clone, PartialEq)]
pub enum Estimate {
    /// In the planner's units; `None` where the plan shows no cost.
    Cost(Option<f64>),
    /// A relation that is written and is no table.
    View(Option<String>),
    /// The server refused: the body of its ErrorResponse, which is the statement's own.
    Failed(Bytes),
    /// The same in a pipeline, where the client was told in its turn: the SQLSTATE.
    Told(String),
    /// An earlier error in the pipeline makes the server skip it, and what it was asked for.
    Skipped,
}

/// What has to happen beside the relay.
#[derive(Debug)]
pub enum Effect {
    Outcome(OutcomeRecord),
    /// Stop what runs upstream.
    Cancel,
    Estimated(Estimate),
    /// Something to be said to the upstream.
    Say(Bytes),
}

/// What becomes of one frame of the upstream.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Relay {
    Pass,
    Drop,
    /// These bytes instead.
    Replace(Bytes),
}
