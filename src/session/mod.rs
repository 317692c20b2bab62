//! One client's session as a state machine, without IO.
//!
//! Frames of the client go in through [`Session::judge`] and come out as a [`Step`]; headers and bodies
//! of the upstream's answers go in through [`Session::answer`] and come out as a [`Relay`]. What else
//! has to happen (outcomes, cancels, estimates) waits in [`Session::effect`].

mod answer;
mod copying;
mod errors;
mod extended;
mod failure;
mod judge;
pub mod meter;
mod passing;
mod pending;
mod prepared;
mod step;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::audit::record::{EndUser, SessionIdentity};
use crate::policy::{EndUserSource, Principal};
use crate::sql::{Scope, Status, TextBounds};

pub use answer::{Need, Nonsense};
pub use errors::{fields, sqlstate};
pub use pending::{Passage, Running};
pub use step::{Asked, Effect, Estimate, Gate, GateKind, Judged, Protest, Refused, Relay, Step};

use pending::Pending;
use prepared::{Portals, Statements};

/// The status that ReadyForQuery's byte tells.
pub(crate) fn status_of(byte: u8) -> Option<Status> {
    match byte {
        b'I' => Some(Status::Idle),
        b'T' => Some(Status::InBlock),
        b'E' => Some(Status::Failed),
        _ => None,
    }
}

/// The byte that ReadyForQuery tells a status by.
pub(crate) const fn status_byte(status: Status) -> u8 {
    match status {
        Status::Idle => b'I',
        Status::InBlock => b'T',
        Status::Failed => b'E',
    }
}

/// What one session may hold.
#[derive(Debug, Clone, Copy)]
pub struct SessionBounds {
    pub text: TextBounds,
    pub prepared_max: usize,
    pub portals_max: usize,
    /// Frames passed on whose answers have not come.
    pub pipeline_max: usize,
}

#[derive(Debug)]
pub struct Session {
    pub(crate) principal: Principal,
    identity: Arc<SessionIdentity>,
    end_user_source: Option<EndUserSource>,
    /// The end user claimed by SQL at the start, which holds for all that follows.
    end_user: Option<EndUser>,
    application: String,
    bounds: SessionBounds,
    scope: Scope,
    /// Counts changes of `scope`, so that facts found before a change are found anew.
    scope_version: u64,
    status: Status,
    pending: VecDeque<Pending>,
    /// An error was answered in a pipeline: the server skips all up to the next Sync.
    skipping: bool,
    /// An error was put in place of a success: the rest of the pipeline's answers are not shown.
    muted: bool,
    /// The same in a block: it has to fail as the client believes it did.
    fail_block: bool,
    /// Something of the extended protocol was sent since the last Sync: its transaction is open.
    open_pipeline: bool,
    /// Counts Sync and Query passed on, to tell which portals a transaction's end takes with it.
    epoch: u64,
    epoch_answered: u64,
    statements: Statements,
    portals: Portals,
    /// Rows already taken from each SQL cursor.
    cursor_rows: HashMap<String, u64>,
    effects: VecDeque<Effect>,
    /// A cancel of our own is on its way: nothing is passed on that it could hit.
    cancelling: bool,
    draining: bool,
}

/// What a session begins with.
#[derive(Debug)]
pub struct Opening {
    pub principal: Principal,
    pub identity: Arc<SessionIdentity>,
    pub end_user_source: Option<EndUserSource>,
    pub application: String,
    pub scope: Scope,
    pub bounds: SessionBounds,
}

impl Session {
    pub fn open(opening: Opening) -> Self {
        let Opening { principal, identity, end_user_source, application, scope, bounds } = opening;
        Self {
            principal,
            identity,
            end_user_source,
            end_user: None,
            application,
            scope,
            scope_version: 0,
            status: Status::Idle,
            pending: VecDeque::new(),
            skipping: false,
            muted: false,
            fail_block: false,
            open_pipeline: false,
            epoch: 0,
            epoch_answered: 0,
            statements: Statements::default(),
            portals: Portals::default(),
            cursor_rows: HashMap::new(),
            effects: VecDeque::new(),
            cancelling: false,
            draining: false,
            bounds,
        }
    }

    pub fn identity(&self) -> &Arc<SessionIdentity> {
        &self.identity
    }

    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn application(&self) -> &str {
        &self.application
    }

    pub fn status(&self) -> Status {
        self.status
    }

    /// No answer is awaited from the upstream.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    /// Nothing runs and no transaction is open: the session can end without harm.
    pub fn is_idle(&self) -> bool {
        self.is_quiet() && self.status == Status::Idle && !self.open_pipeline
    }

    /// From now on only what ends a transaction is passed on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    pub fn cancel_begun(&mut self) {
        self.cancelling = true;
    }

    pub fn cancel_ended(&mut self) {
        self.cancelling = false;
    }

    /// The next thing that has to happen beside the relay.
    pub fn effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }
}
