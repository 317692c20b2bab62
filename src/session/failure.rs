//! When the server says no: what failed with it, what the client is told, what never came to be.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::BytesMut;

use super::answer::truncated;
use super::errors::{ends_session, shifted, sqlstate};
use super::pending::{Pending, Run};
use super::prepared::Prepared;
use super::step::{Effect, Estimate, Relay};
use super::{Running, Session};
use crate::refusal::Refusal;
use crate::wire::reply::{self, Severity};

impl Session {
    /// ErrorResponse.
    pub(super) fn failed(&mut self, body: &[u8], now: Instant) -> Relay {
        if ends_session(body) {
            self.end(&sqlstate(body), now);
            return Relay::Pass;
        }
        match self.pending.front_mut() {
            None => Relay::Pass,
            Some(Pending::Query(run)) => {
                let rest = std::mem::take(&mut run.statements);
                self.query_failed(&rest, body, now)
            }
            Some(Pending::RefusedQuery(refusal)) => {
                let told = told(refusal);
                self.scope_abort();
                told
            }
            Some(Pending::FailBlock) => {
                self.scope_abort();
                Relay::Drop
            }
            Some(Pending::EstimateQuery(plan)) => {
                plan.failed = Some(shifted(body, plan.shift));
                self.scope_abort();
                Relay::Drop
            }
            Some(Pending::Sync) => {
                self.scope_abort();
                Relay::Pass
            }
            Some(_) => self.pipeline_failed(body, now),
        }
    }

    fn query_failed(&mut self, rest: &VecDeque<Running>, body: &[u8], now: Instant) -> Relay {
        let code = sqlstate(body);
        let mut relay = Relay::Pass;
        for (at, running) in rest.iter().enumerate() {
            let cut = at == 0 && running.cut && code == "57014";
            if cut {
                relay = Relay::Replace(truncated(running, "SELECT 0"));
            } else if at == 0
                && let Some(refusal) = &running.killed
            {
                relay = told(refusal);
            }
            let shown = match &running.killed {
                _ if cut => "00000",
                Some(refusal) => refusal.sqlstate,
                None => code.as_str(),
            };
            self.outcome(running, shown, now);
        }
        self.scope_abort();
        relay
    }

    /// The front of a pipeline failed: the server skips what follows up to the Sync.
    fn pipeline_failed(&mut self, body: &[u8], now: Instant) -> Relay {
        let relay = match self.pending.pop_front() {
            Some(Pending::Refused(refusal)) => told(&refusal),
            Some(Pending::Execute(running)) => {
                let code = sqlstate(body);
                let shown = running.killed.as_ref().map_or(code.as_str(), |refusal| refusal.sqlstate);
                self.outcome(&running, shown, now);
                running.killed.as_ref().map_or(Relay::Pass, told)
            }
            Some(Pending::Estimate { plan, .. }) => {
                self.effects.push_back(Effect::Estimated(Estimate::Told(sqlstate(body))));
                Relay::Replace(shifted(body, plan.shift))
            }
            Some(other) => {
                self.forget(other, true);
                Relay::Pass
            }
            None => Relay::Pass,
        };
        self.scope_abort();
        self.skip_pipeline();
        relay
    }

    /// The client was told of an error the server knows nothing of: what the server still answers up to
    /// the next Sync is not shown.
    pub(super) fn mute(&mut self) {
        self.muted = true;
        self.skipping = !self.pending.iter().any(|pending| matches!(pending, Pending::Sync));
    }

    /// Everything up to the next Sync is not answered any more.
    fn skip_pipeline(&mut self) {
        let sync = self.pending.iter().position(|pending| matches!(pending, Pending::Sync));
        self.skipping = sync.is_none();
        let skipped: Vec<Pending> = self.pending.drain(..sync.unwrap_or(self.pending.len())).collect();
        for pending in skipped.into_iter().rev() {
            self.forget(pending, false);
        }
    }

    /// Something that was passed on never came to be: it failed where the server `tried` it, and otherwise
    /// was skipped.
    fn forget(&mut self, pending: Pending, tried: bool) {
        match pending {
            // Another may have been sent behind the Sync that ends the skipping.
            Pending::Bind { portal }
                if self.comes_again(
                    |later| matches!(later, Pending::Bind { portal: other } if *other == portal),
                ) => {}
            // The server drops the unnamed statement before it looks at the next.
            Pending::Parse { name, displaced } => self.restore(&name, displaced.filter(|_| !tried)),
            Pending::Bind { portal } => self.portals.forget(&portal),
            // The server skips queries too.
            Pending::Estimate { .. } | Pending::EstimateQuery(_) => {
                self.effects.push_back(Effect::Estimated(Estimate::Skipped));
            }
            Pending::Query(Run { statements, displaced, .. }) => {
                statements.iter().for_each(|running| self.outcome(running, "25P02", running.started));
                if displaced.is_some() {
                    self.restore("", displaced);
                }
            }
            Pending::Execute(running) => self.outcome(&running, "25P02", running.started),
            _ => {}
        }
    }

    /// What a statement that was not made would have taken the place of stands there again, or nothing.
    fn restore(&mut self, name: &str, displaced: Option<Box<Prepared>>) {
        let behind = self.pending.iter_mut().skip_while(|pending| !matches!(pending, Pending::Sync));
        for pending in behind {
            match pending {
                // One sent later stands there now, and displaced this.
                Pending::Parse { name: other, displaced: at } if other == name => {
                    *at = displaced;
                    return;
                }
                Pending::Query(Run { displaced: at, .. }) if name.is_empty() => {
                    *at = displaced;
                    return;
                }
                _ => {}
            }
        }
        match displaced {
            Some(prepared) => drop(self.statements.keep(name, *prepared)),
            None => {
                self.statements.forget(name);
                self.scope.deallocate(name);
            }
        }
    }

    fn comes_again(&self, is: impl Fn(&Pending) -> bool) -> bool {
        self.pending.iter().skip_while(|pending| !matches!(pending, Pending::Sync)).any(is)
    }

    pub(super) fn scope_abort(&mut self) {
        self.scope.abort();
        self.scope_version = self.scope_version.wrapping_add(1);
    }

    /// The connection is over: what still runs has an outcome of its own.
    pub fn end(&mut self, sqlstate: &str, now: Instant) {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Query(run) => {
                    for running in &run.statements {
                        self.outcome(running, sqlstate, now);
                    }
                }
                Pending::Execute(running) => self.outcome(&running, sqlstate, now),
                _ => {}
            }
        }
    }
}

fn told(refusal: &Refusal) -> Relay {
    let mut out = BytesMut::new();
    reply::error(&mut out, Severity::Error, refusal);
    Relay::Replace(out.freeze())
}
