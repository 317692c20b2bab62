//! From a frame of the client to a [`Step`].

use std::collections::VecDeque;
use std::sync::Arc;

use super::Session;
use super::pending::{Pending, Run, changes_scope};
use super::permits::Grant;
use super::prepared::Prepared;
use super::step::{Asked, Gate, GateKind, Judged, Protest, Refused, Step};
use crate::audit::record::Protocol;
use crate::identity::claim;
use crate::policy::{Basis, Denial, EndUserSource, unread};
use crate::refusal::{Code, Refusal};
use crate::sql::{Class, Facts, NotUnderstood, Statement, TransactionStep, fingerprint};
use crate::wire::{Frontend, Target};

impl Session {
    /// What becomes of `message`, under the rules live now. `now_unix` in seconds.
    pub fn judge(&mut self, message: Frontend<'_>, basis: &Basis<'_>, now_unix: i64) -> Step {
        if message == Frontend::Terminate {
            return Step::Terminate;
        }
        if self.skipping {
            if message != Frontend::Sync {
                return Step::Skip;
            }
            self.skipping = false;
        }
        if self.pending.len() >= self.bounds.pipeline_max {
            return Step::Hold;
        }
        if let Some(step) = self.out_of_place(&message) {
            return step;
        }
        if let Some(names) = names(&message) {
            self.open_pipeline = true;
            // The server cuts them, and would take two for one.
            if names.iter().any(|name| name.len() > NAME_BYTES_MAX) {
                let text = format!("tollgate: a name of more than {NAME_BYTES_MAX} bytes");
                return self.fault(Refusal::fault("42622", text).with_hint("Name it shorter"));
            }
        }
        if !matches!(message, Frontend::CopyData) && self.scope.go_by(basis.catalog) {
            self.scope_version = self.scope_version.wrapping_add(1);
        }
        match message {
            Frontend::CopyData | Frontend::Terminate => Step::Pass,
            Frontend::CopyDone | Frontend::CopyFail => self.copy_ended(),
            _ if self.cancelling => Step::Hold,
            Frontend::Flush => Step::Pass,
            Frontend::Sync => match self.sync_in_copy() {
                Some(step) => step,
                None => self.push_ready(Pending::Sync),
            },
            Frontend::Describe(_) => {
                self.pending.push_back(Pending::Describe);
                Step::Pass
            }
            Frontend::Close(target) => self.judge_close(target),
            _ if self.pending.iter().any(Pending::unsettles) => Step::Hold,
            _ if self.principal.expires_at.is_some_and(|end| end <= now_unix) => Step::Fatal(expired()),
            Frontend::Query(text) => self.judge_query(text, basis),
            Frontend::Parse { name, text, types } => self.judge_parse(name, text, types, basis),
            Frontend::Bind { portal, statement, .. } => self.judge_bind(portal, statement, basis),
            Frontend::Execute { portal, .. } => self.judge_execute(portal, basis),
            Frontend::FunctionCall => self.judge_function_call(),
        }
    }

    /// Something that ends with ReadyForQuery goes on.
    pub(super) fn push_ready(&mut self, pending: Pending) -> Step {
        self.open_pipeline = false;
        self.epoch = self.epoch.wrapping_add(1);
        self.pending.push_back(pending);
        Step::Pass
    }

    fn judge_close(&mut self, target: Target<'_>) -> Step {
        let pending = match target {
            Target::Statement(name) => Pending::CloseStatement { name: name.to_owned() },
            Target::Portal(name) => Pending::ClosePortal { name: name.to_owned() },
        };
        self.pending.push_back(pending);
        Step::Pass
    }

    fn judge_query(&mut self, text: &str, basis: &Basis<'_>) -> Step {
        let asked = self.asked(Protocol::Simple, text);
        self.scope.see_portals(self.portals.readers());
        let statements = match self.memory.understand(text, &self.scope) {
            Ok(statements) => statements,
            Err(fault) => {
                self.forget_unnamed();
                return Step::refuse(not_understood(text, &fault, asked, true));
            }
        };
        if statements.is_empty() {
            let displaced = self.forget_unnamed();
            return self.push_ready(Pending::Query(Run::of(VecDeque::new(), displaced)));
        }
        match self.decide_all(statements, basis) {
            Ok(statements) => Step::gate(Gate { kind: GateKind::Query, statements, asked, estimate: None }),
            Err((refusal, protests)) => {
                self.forget_unnamed();
                Step::refuse(Refused { refusal, asked, protests, in_query: true })
            }
        }
    }

    /// The server forgets what has no name at every simple query.
    pub(super) fn forget_unnamed(&mut self) -> Option<Prepared> {
        self.portals.forget("");
        self.statements.forget("")
    }

    /// All of a text's statements allowed, or the refusal of the first that is not.
    fn decide_all(
        &mut self,
        statements: Vec<Statement>,
        basis: &Basis<'_>,
    ) -> Result<Vec<Judged>, (Refusal, Vec<Protest>)> {
        let mut grants = Vec::with_capacity(statements.len());
        for (at, statement) in statements.iter().enumerate() {
            match self.decide_one(statement, basis) {
                Ok(grant) => grants.push(grant),
                Err(denial) => return Err(refused_whole(&statements, at, *denial)),
            }
        }
        let judged = statements.into_iter().zip(grants);
        Ok(judged.map(|(statement, Grant { permit, light })| Judged { statement, permit, light }).collect())
    }

    /// Policy's decision, and the session's own reasons to say no.
    pub(super) fn decide_one(
        &mut self,
        statement: &Statement,
        basis: &Basis<'_>,
    ) -> Result<Grant, Box<Denial>> {
        let facts = &statement.facts;
        if self.draining && !ends_transaction(facts) {
            return Err(denial(
                Refusal::by(Code::Draining, "this proxy is shutting down")
                    .with_hint("Connect again: another one takes over"),
            ));
        }
        if changes_scope(facts)
            && let Err(full) = self.scope.clone().apply(facts)
        {
            return Err(denial(
                Refusal::by(Code::SessionChange, full.to_string())
                    .with_hint("Close what is no longer needed"),
            ));
        }
        self.permits.decide(&self.principal, facts, basis)
    }

    fn judge_function_call(&mut self) -> Step {
        let refusal = Refusal::by(Code::NotUnderstood, "function calls by number (fastpath) are not allowed")
            .with_detail(self.principal.name.clone())
            .with_hint("Call the function in a SELECT");
        let facts = Arc::new(Facts::plain(Class::Unknown, "FUNCTION CALL"));
        let protest = Protest {
            statement: Statement { text: "".into(), facts, fingerprint: fingerprint("").into() },
            rule: None,
            reason: "a function call by number cannot be checked".to_owned(),
        };
        let asked = self.asked(Protocol::Simple, "");
        Step::refuse(Refused { refusal, asked, protests: vec![protest], in_query: true })
    }

    /// Who asked: the end user that the tool claims in this text, or claimed at the start.
    pub(super) fn asked(&self, protocol: Protocol, text: &str) -> Asked {
        let end_user = match self.end_user_source {
            Some(EndUserSource::RedashComment) => claim::redash(text),
            Some(EndUserSource::InitialSql) => self.end_user.clone(),
            None => None,
        };
        Asked { protocol, end_user }
    }

    /// The same for a frame whose text was not read.
    pub fn asked_for_fault(&self) -> Asked {
        self.asked(Protocol::Simple, "")
    }

    /// Whether a refusal can be answered without the upstream: nothing is awaited, and no transaction is
    /// open that it would undo.
    pub fn answers_alone(&self) -> bool {
        self.is_idle()
    }

    /// A poisoned frame was put in a refused one's place upstream; its error becomes `refusal`.
    pub fn poisoned(&mut self, refusal: Refusal, in_query: bool) {
        if in_query {
            let _ = self.push_ready(Pending::RefusedQuery(refusal));
        } else {
            self.pending.push_back(Pending::Refused(refusal));
        }
    }
}

/// What the server keeps of a statement's or portal's name (PostgreSQL, NAMEDATALEN).
const NAME_BYTES_MAX: usize = 63;

/// The names that a message of the extended protocol bears.
fn names<'a>(message: &Frontend<'a>) -> Option<[&'a str; 2]> {
    match message {
        Frontend::Parse { name, .. } => Some([name, ""]),
        Frontend::Bind { portal, statement, .. } => Some([portal, statement]),
        Frontend::Execute { portal, .. } => Some([portal, ""]),
        Frontend::Describe(target) | Frontend::Close(target) => match target {
            Target::Statement(name) | Target::Portal(name) => Some([name, ""]),
        },
        Frontend::Query(_)
        | Frontend::Sync
        | Frontend::Flush
        | Frontend::Terminate
        | Frontend::CopyData
        | Frontend::CopyDone
        | Frontend::CopyFail
        | Frontend::FunctionCall => None,
    }
}

fn expired() -> Refusal {
    Refusal::fault("28000", "tollgate: your token has expired").with_hint("Sign in again and reconnect")
}

fn denial(refusal: Refusal) -> Box<Denial> {
    let reason = refusal.message.trim_start_matches("tollgate: ").to_owned();
    Box::new(Denial { refusal, rule: None, reason })
}

fn ends_transaction(facts: &Facts) -> bool {
    matches!(facts.transaction, Some(TransactionStep::Commit { .. } | TransactionStep::Rollback { .. }))
}

/// The refused statement first, then the others of its text, which do not run either.
fn refused_whole(statements: &[Statement], at: usize, denial: Denial) -> (Refusal, Vec<Protest>) {
    let mut protests = Vec::with_capacity(statements.len());
    for (index, statement) in statements.iter().enumerate() {
        let statement = statement.clone();
        if index == at {
            let (rule, reason) = (denial.rule.clone(), denial.reason.clone());
            protests.insert(0, Protest { statement, rule, reason });
        } else {
            let reason = format!("statement {} of the same text is refused", at + 1);
            protests.push(Protest { statement, rule: denial.rule.clone(), reason });
        }
    }
    (denial.refusal, protests)
}

pub(super) fn not_understood(text: &str, fault: &NotUnderstood, asked: Asked, in_query: bool) -> Refused {
    let mut facts = Facts::plain(Class::Unknown, "UNKNOWN");
    facts.doubts.push(fault.to_string());
    let refusal = unread(text, fault);
    let statement =
        Statement { text: text.into(), facts: Arc::new(facts), fingerprint: fingerprint(text).into() };
    let protest = Protest { statement, rule: None, reason: fault.to_string() };
    Refused { refusal, asked, protests: vec![protest], in_query }
}
