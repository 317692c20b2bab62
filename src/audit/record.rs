//! What is recorded, as data.

use std::net::SocketAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::policy::{Obligations, Place};
use crate::refusal::Code;
use crate::sql::Facts;

/// The person behind a service account, as the tool claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndUser {
    pub name: String,
    /// `redash_comment`, `initial_sql`.
    pub source: &'static str,
    /// The claim's form was not the tool's own.
    pub spoof: bool,
}

/// What does not change within a session; shared by its records.
#[derive(Debug, Clone)]
pub struct SessionIdentity {
    pub session: Uuid,
    pub principal: String,
    pub auth: &'static str,
    pub groups: Vec<String>,
    pub client: SocketAddr,
    pub database: String,
}

/// Through which part of the protocol a statement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Simple,
    Extended,
}

/// The intent: one statement, judged, before its bytes go upstream.
#[derive(Debug, Clone)]
pub struct StatementRecord {
    pub identity: Arc<SessionIdentity>,
    pub end_user: Option<EndUser>,
    pub application: String,
    pub protocol: Protocol,
    pub sql: Arc<str>,
    /// Literal-free text, hashed: 16 hex digits.
    pub fingerprint: String,
    /// Unknown where the text was not understood.
    pub facts: Arc<Facts>,
    /// `None` = allowed.
    pub code: Option<Code>,
    pub rule: Option<Place>,
    pub reason: String,
    pub obligations: Obligations,
    /// Of EXPLAIN, in the planner's units.
    pub estimate: Option<f64>,
}

/// What became of a statement that was passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeRecord {
    pub session: Uuid,
    /// The id of the statement's entry.
    pub statement: Uuid,
    pub rows: u64,
    pub bytes: u64,
    pub duration_us: u64,
    /// `00000` when it succeeded.
    pub sqlstate: String,
    pub truncated: bool,
}

#[derive(Debug, Clone)]
pub enum Event {
    Start {
        version: &'static str,
        rules_generation: u64,
        /// Of a torn last line that was cut off when the log was opened.
        recovered_bytes: u64,
    },
    Stop {
        reason: String,
    },
    /// A reload: the problems where it was refused, none where it is live.
    Rules {
        generation: u64,
        problems: Vec<String>,
    },
    Connect {
        identity: Arc<SessionIdentity>,
        application: String,
        upstream_user: String,
    },
    /// `reason` is for the auditor; the client sees one message for all.
    LoginFailed {
        session: Uuid,
        client: SocketAddr,
        user: String,
        reason: String,
    },
    Statement(Box<StatementRecord>),
    Outcome(OutcomeRecord),
    Disconnect {
        session: Uuid,
        reason: String,
    },
    /// `target` is the session to be cancelled; `None` where the key fits none.
    Cancel {
        session: Uuid,
        client: SocketAddr,
        target: Option<Uuid>,
    },
}
