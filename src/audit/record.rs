//! What is recorded, as data.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use crate::policy::{Permit, Place};
use crate::refusal::Code;
use crate::sql::Statement;

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
    /// As its records say it, written once.
    pub told: OnceLock<Box<str>>,
}

/// Through which part of the protocol a statement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Simple,
    Extended,
}

/// The intent: one statement, judged, before its bytes go upstream.
#[derive(Debug, Clone, Copy)]
pub struct StatementRecord<'a> {
    pub identity: &'a SessionIdentity,
    pub end_user: Option<&'a EndUser>,
    pub application: &'a str,
    pub protocol: Protocol,
    /// Its class is unknown where the text was not understood.
    pub statement: &'a Statement,
    pub ruling: Ruling<'a>,
    /// Of EXPLAIN, in the planner's units.
    pub estimate: Option<f64>,
}

/// What was decided of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Ruling<'a> {
    Allowed(&'a Permit),
    Denied { code: Code, rule: Option<&'a Place>, reason: &'a str },
}

/// What became of a statement that was passed on.
#[derive(Debug, Clone)]
pub struct OutcomeRecord {
    pub identity: Arc<SessionIdentity>,
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
pub enum Event<'a> {
    Start {
        version: &'static str,
        rules_generation: u64,
        /// Of a torn last line that was cut off when the log was opened.
        recovered_bytes: u64,
    },
    Stop {
        reason: &'a str,
    },
    /// A reload: the problems where it was refused, none where it is live.
    Rules {
        generation: u64,
        problems: Vec<String>,
    },
    Connect {
        identity: &'a SessionIdentity,
        application: &'a str,
        upstream_user: &'a str,
    },
    /// `reason` is for the auditor; the client sees one message for all.
    LoginFailed {
        session: Uuid,
        client: SocketAddr,
        user: String,
        reason: String,
    },
    Statement(StatementRecord<'a>),
    Outcome(&'a OutcomeRecord),
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
