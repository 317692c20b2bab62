//! Judging the extended protocol's frames: facts at Parse, decision and record at every Execute.

use std::sync::Arc;

use super::Session;
use super::judge::not_understood;
use super::pending::Pending;
use super::permits::Grant;
use super::prepared::{Portal, Prepared};
use super::step::{Gate, GateKind, Judged, Protest, Refused, Step};
use crate::audit::record::Protocol;
use crate::policy::Basis;
use crate::refusal::{Code, Refusal};
use crate::sql::{Statement, fingerprint};

impl Session {
    pub(super) fn judge_parse(&mut self, name: &str, text: &str, types: &[u8], basis: &Basis<'_>) -> Step {
        let awaited = self.pending.iter().any(|pending| match pending {
            Pending::Parse { name: other, .. } | Pending::CloseStatement { name: other } => other == name,
            _ => false,
        });
        if awaited && !name.is_empty() {
            return Step::Hold;
        }
        let stands =
            !name.is_empty() && (self.statements.find(name).is_some() || self.scope.prepared(name).is_some());
        if !stands && self.statements.len() >= self.bounds.prepared_max {
            let text = format!("tollgate: more than {} prepared statements", self.bounds.prepared_max);
            return self.fault(Refusal::fault("54000", text).with_hint("Close those no longer needed"));
        }
        let statement = match self.single(text, basis) {
            Ok(statement) => statement,
            Err(step) => return step,
        };
        let text: Arc<str> = text.into();
        let prepared = Prepared {
            text: Arc::clone(&text),
            statement,
            types: types.into(),
            scope_version: self.scope_version,
            epoch: self.scope.epoch(),
        };
        if stands {
            let prepared = Box::new(prepared);
            self.pending.push_back(Pending::ParseAgain { name: name.to_owned(), prepared });
            return Step::Pass;
        }
        if !name.is_empty()
            && let Err(full) = self.scope.prepare(name, text)
        {
            let refusal = Refusal::fault("54000", format!("tollgate: {full}"));
            return self.fault(refusal.with_hint("Close those no longer needed"));
        }
        let displaced = self.statements.keep(name, prepared).map(Box::new);
        self.pending.push_back(Pending::Parse { name: name.to_owned(), displaced });
        Step::Pass
    }

    /// The one statement of a text, allowed; or what becomes of its frame.
    fn single(&mut self, text: &str, basis: &Basis<'_>) -> Result<Option<Statement>, Step> {
        let asked = self.asked(Protocol::Extended, text);
        let mut statements = match self.memory.understand(text, &self.scope) {
            Ok(statements) => statements.into_iter(),
            Err(fault) => return Err(Step::refuse(not_understood(text, &fault, asked, false))),
        };
        let statement = statements.next();
        if statements.next().is_some() {
            let refusal =
                Refusal::fault("42601", "cannot insert multiple commands into a prepared statement");
            return Err(self.fault(refusal));
        }
        if let Some(statement) = &statement {
            let _grant = self.permit(statement, basis)?;
        }
        Ok(statement)
    }

    fn permit(&mut self, statement: &Statement, basis: &Basis<'_>) -> Result<Grant, Step> {
        match self.decide_one(statement, basis) {
            Ok(grant) => Ok(grant),
            Err(denial) => {
                let protest =
                    Protest { statement: statement.clone(), rule: denial.rule, reason: denial.reason };
                let asked = self.asked(Protocol::Extended, &statement.text);
                let refusal = denial.refusal;
                Err(Step::refuse(Refused { refusal, asked, protests: vec![protest], in_query: false }))
            }
        }
    }

    pub(super) fn judge_bind(&mut self, portal: &str, name: &str, basis: &Basis<'_>) -> Step {
        let Some(prepared) = self.prepared(name) else {
            if name.is_empty() && self.pending.iter().any(Pending::may_give_back) {
                return Step::Hold;
            }
            let text = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                _ => format!("prepared statement \"{name}\" does not exist"),
            };
            return self.fault(Refusal::fault("26000", text));
        };
        if !portal.is_empty() && self.portals.len() >= self.bounds.portals_max {
            let text = format!("tollgate: more than {} portals", self.bounds.portals_max);
            return self.fault(Refusal::fault("54000", text).with_hint("Close those no longer needed"));
        }
        let prepared = match self.current(prepared) {
            Ok(prepared) => prepared,
            Err(step) => return step,
        };
        if let Some(statement) = &prepared.statement {
            let Grant { permit, light } = match self.permit(statement, basis) {
                Ok(grant) => grant,
                Err(step) => return step,
            };
            let judged = Judged { statement: statement.clone(), permit, light };
            if judged.is_weighed()
                || statement
                    .facts
                    .writes
                    .iter()
                    .chain(&statement.facts.locks)
                    .any(|written| !written.is_temp())
            {
                let asked = self.asked(Protocol::Extended, &prepared.text);
                let kind = GateKind::Bind { portal: portal.to_owned(), statement: name.to_owned() };
                return Step::gate(Gate { kind, statements: vec![judged], asked, estimate: None });
            }
        }
        self.bind(portal, prepared, None);
        Step::Pass
    }

    fn bind(&mut self, name: &str, prepared: Prepared, estimate: Option<f64>) {
        let portal = Portal { prepared, estimate, rows: 0, epoch: self.epoch };
        self.portals.keep(name, portal);
        self.pending.push_back(Pending::Bind { portal: name.to_owned() });
    }

    /// The gate of a Bind has its estimate: the frame goes on, and its Execute is judged by it.
    pub fn bound(&mut self, portal: &str, statement: &str, estimate: Option<f64>) -> bool {
        let Some(Ok(prepared)) = self.prepared(statement).map(|prepared| self.current(prepared)) else {
            return false;
        };
        self.bind(portal, prepared, estimate);
        true
    }

    /// A statement by its name: of Parse, or of the SQL command PREPARE.
    fn prepared(&self, name: &str) -> Option<Prepared> {
        if let Some(prepared) = self.statements.find(name) {
            return Some(prepared.clone());
        }
        let text = Arc::clone(self.scope.prepared(name)?);
        // A version that never is makes its facts be found anew.
        Some(Prepared {
            text,
            statement: None,
            types: [0, 0].as_slice().into(),
            scope_version: u64::MAX,
            epoch: self.scope.prepared_epoch(name),
        })
    }

    /// The same with facts as names mean them now.
    fn current(&self, mut prepared: Prepared) -> Result<Prepared, Step> {
        if prepared.scope_version != self.scope_version {
            let scope = self.scope.since(prepared.epoch);
            let found = self.memory.understand(&prepared.text, &scope).map_err(|fault| {
                let asked = self.asked(Protocol::Extended, &prepared.text);
                Step::refuse(not_understood(&prepared.text, &fault, asked, false))
            })?;
            prepared.statement = found.into_iter().next();
            prepared.scope_version = self.scope_version;
        }
        Ok(prepared)
    }

    pub(super) fn judge_execute(&mut self, name: &str, basis: &Basis<'_>) -> Step {
        let portal = self.portals.find(name).map(|portal| (portal.prepared.clone(), portal.estimate));
        let (statement, estimate) = match portal {
            // The server resolves a query's names at Bind and others' at Execute: they must mean the same.
            Some((bound, estimate)) => {
                let planned = bound.statement.as_ref().is_none_or(|statement| statement.facts.is_planned());
                if !planned {
                    match self.current(bound.clone()) {
                        Ok(fresh) if fresh.statement != bound.statement => {
                            return self.changed_since_bind(&bound);
                        }
                        Ok(_) => {}
                        Err(step) => return step,
                    }
                }
                (bound.statement, estimate)
            }
            // A cursor of the SQL command DECLARE is a portal to the server.
            None => match self.scope.cursor(name) {
                Some(facts) => {
                    let text = format!("FETCH ALL FROM \"{name}\"");
                    let fingerprint = fingerprint(&text).into();
                    (Some(Statement { text: text.into(), facts: Arc::clone(facts), fingerprint }), None)
                }
                None => {
                    return self.fault(Refusal::fault("34000", format!("portal \"{name}\" does not exist")));
                }
            },
        };
        let Some(statement) = statement else {
            self.pending.push_back(Pending::ExecuteNothing);
            return Step::Pass;
        };
        match self.permit(&statement, basis) {
            Ok(Grant { permit, light }) => {
                let asked = self.asked(Protocol::Extended, &statement.text);
                let kind = GateKind::Execute { portal: name.to_owned() };
                let statements = vec![Judged { statement, permit, light }];
                Step::gate(Gate { kind, statements, asked, estimate })
            }
            Err(step) => step,
        }
    }

    fn changed_since_bind(&self, bound: &Prepared) -> Step {
        let asked = self.asked(Protocol::Extended, &bound.text);
        let reason = "what its names mean has changed since it was bound";
        let refusal = Refusal::by(Code::NotUnderstood, format_args!("{reason}, so it is not run"))
            .with_hint("Bind and execute it again");
        let protest = bound.statement.as_ref().map(|statement| Protest {
            statement: statement.clone(),
            rule: None,
            reason: reason.to_owned(),
        });
        Step::refuse(Refused { refusal, asked, protests: protest.into_iter().collect(), in_query: false })
    }

    /// The types a statement was parsed with, for its EXPLAIN.
    pub fn parameter_types(&self, name: &str) -> Arc<[u8]> {
        self.prepared(name).map_or_else(|| [0, 0].as_slice().into(), |prepared| prepared.types)
    }

    /// A fault of the protocol's use, answered in its place as the server would.
    pub(super) fn fault(&self, refusal: Refusal) -> Step {
        let asked = self.asked(Protocol::Extended, "");
        Step::refuse(Refused { refusal, asked, protests: Vec::new(), in_query: false })
    }
}
