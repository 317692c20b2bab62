//! The upstream's answers: matched to what was passed on, metered, and where needed replaced.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::meter::{Counted, retag};
use super::pending::{Pending, Plan, Run, changes_scope};
use super::step::{Effect, Estimate, Relay};
use super::{Running, Session, status_of};
use crate::audit::record::{EndUser, OutcomeRecord};
use crate::limits::estimate::plan_cost;
use crate::policy::EndUserSource;
use crate::refusal::{Code, Refusal};
use crate::sql::{Class, CursorStep, Facts, PreparedStep, Status, TransactionStep};
use crate::wire::header;
use crate::wire::reply::{self, POISON, Severity};

/// The upstream said what no server would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream sent an unexpected message of type `{}`", *tag as char)]
pub struct Nonsense {
    pub tag: u8,
}

/// How much of an answer's frame the session needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    /// The header told enough: what becomes of the body, however long.
    Header(Relay),
    /// The whole body, through [`Session::answer`].
    Body,
}

impl Session {
    /// Looks at an answer's header.
    pub fn answer_header(&mut self, tag: u8, body_bytes: usize) -> Result<Need, Nonsense> {
        let need = self.need(tag, body_bytes)?;
        Ok(if self.muted && need == Need::Header(Relay::Pass) { Need::Header(Relay::Drop) } else { need })
    }

    /// Bytes at the front of `input` that are whole rows within their caps, counted; the rest takes
    /// [`Session::answer_header`].
    pub fn rows(&mut self, input: &[u8]) -> usize {
        if self.muted || input.first() != Some(&b'D') || self.estimating() {
            return 0;
        }
        let Some(running) = self.front_mut().filter(|running| running.killed.is_none()) else { return 0 };
        let mut taken = 0;
        while let Some(rest) = input.get(taken..)
            && let Ok(Some(head)) = header(rest)
            && head.tag == b'D'
            && rest.len() >= head.frame_bytes()
            && running.meter.has_room(head.body_bytes as u64)
        {
            let _ = running.meter.count(head.body_bytes as u64);
            taken += head.frame_bytes();
        }
        taken
    }

    fn need(&mut self, tag: u8, body_bytes: usize) -> Result<Need, Nonsense> {
        match tag {
            b'D' if self.estimating() => Ok(match self.plan_lines() {
                0 => Need::Body,
                _ => Need::Header(Relay::Drop),
            }),
            b'D' | b'd' => Ok(Need::Header(self.count_row(body_bytes))),
            b'T' if self.estimating() => Ok(Need::Header(Relay::Drop)),
            b'T' => {
                self.pop_if(|pending| matches!(pending, Pending::Describe));
                Ok(Need::Header(Relay::Pass))
            }
            b'N' if self.estimating() => Ok(Need::Header(Relay::Drop)),
            b'G' => {
                self.copy_opened();
                Ok(Need::Header(Relay::Pass))
            }
            b't' | b'H' | b'c' | b'A' | b'N' | b'S' => Ok(Need::Header(Relay::Pass)),
            b'1' | b'2' | b'3' | b'n' | b'C' | b'I' | b's' | b'E' | b'Z' => Ok(Need::Body),
            _ => Err(Nonsense { tag }),
        }
    }

    /// An answer with its body.
    pub fn answer(&mut self, tag: u8, body: &[u8], now: Instant) -> Result<Relay, Nonsense> {
        let muted = self.muted;
        let relay = self.answered(tag, body, now)?;
        Ok(if muted && tag != b'Z' { Relay::Drop } else { relay })
    }

    fn answered(&mut self, tag: u8, body: &[u8], now: Instant) -> Result<Relay, Nonsense> {
        let nonsense = Nonsense { tag };
        match tag {
            b'1' | b'2' | b'3' | b'n' => self.acknowledged(tag).ok_or(nonsense),
            b'D' => {
                if let Some(plan) = self.plan_mut() {
                    plan.lines += 1;
                    match plan.inspects {
                        true => plan.view = Some(first_column(body)),
                        false => plan.cost = plan_cost(body),
                    }
                }
                Ok(Relay::Drop)
            }
            b'C' | b'I' | b's' => self.completed(tag, body, now).ok_or(nonsense),
            b'E' => Ok(self.failed(body, now)),
            b'Z' => {
                let status = body.first().copied().and_then(status_of).ok_or(nonsense)?;
                self.ready(status).ok_or(nonsense)
            }
            _ => Err(nonsense),
        }
    }

    fn estimating(&self) -> bool {
        matches!(self.pending.front(), Some(Pending::Estimate { .. } | Pending::EstimateQuery(_)))
    }

    fn plan_mut(&mut self) -> Option<&mut Plan> {
        match self.pending.front_mut()? {
            Pending::Estimate { plan, .. } | Pending::EstimateQuery(plan) => Some(plan),
            _ => None,
        }
    }

    fn plan_lines(&mut self) -> u64 {
        self.plan_mut().map_or(0, |plan| plan.lines)
    }

    fn pop_if(&mut self, fits: impl Fn(&Pending) -> bool) -> Option<Pending> {
        if self.pending.front().is_some_and(fits) { self.pending.pop_front() } else { None }
    }

    fn count_row(&mut self, body_bytes: usize) -> Relay {
        let alone = self.pending.len() == 1 && self.status == Status::Idle;
        let Some(running) = self.front_mut() else { return Relay::Pass };
        if running.killed.is_some() {
            return Relay::Drop;
        }
        let read = running.facts.class == Class::Read;
        let counted = running.meter.count(body_bytes as u64);
        let refusal = match counted {
            Counted::Pass => return Relay::Pass,
            Counted::Beyond => {
                // A lone read outside any block loses nothing by being cancelled.
                if alone && read && running.portal.is_none() && !running.cut && self.sole_statement() {
                    if let Some(running) = self.front_mut() {
                        running.cut = true;
                    }
                    self.effects.push_back(Effect::Cancel);
                }
                return Relay::Drop;
            }
            // What a statement with effects did stands; only its answer ends early.
            Counted::RowLimit | Counted::ByteLimit if !read => {
                running.meter.soften();
                return Relay::Drop;
            }
            Counted::RowLimit => over(running, Code::RowLimit, running.meter.rows_max(), "rows"),
            Counted::ByteLimit => over(running, Code::ByteLimit, running.meter.bytes_max(), "bytes"),
        };
        running.killed = Some(refusal);
        self.effects.push_back(Effect::Cancel);
        Relay::Drop
    }

    fn sole_statement(&self) -> bool {
        matches!(self.pending.front(), Some(Pending::Query(run)) if run.total == 1)
    }

    /// ParseComplete, BindComplete, CloseComplete, NoData.
    fn acknowledged(&mut self, tag: u8) -> Option<Relay> {
        if let Some(Pending::Estimate { closes, plan }) = self.pending.front_mut() {
            *closes += u8::from(tag == b'3');
            if *closes == 2 {
                let estimate = plan.estimate();
                self.pending.pop_front();
                self.effects.push_back(Effect::Estimated(estimate));
            }
            return Some(Relay::Drop);
        }
        match (tag, self.pending.pop_front()?) {
            (b'1', Pending::Parse { .. }) | (b'2', Pending::Bind { .. }) | (b'n', Pending::Describe) => {}
            // What stood there had gone unseen.
            (b'1', Pending::ParseAgain { name, prepared }) => {
                let _ = self.scope.prepare(&name, std::sync::Arc::clone(&prepared.text));
                self.statements.keep(&name, *prepared);
            }
            // One that was sent behind it stands already.
            (b'3', Pending::CloseStatement { name }) => {
                let again =
                    |later: &Pending| matches!(later, Pending::Parse { name: other, .. } if *other == name);
                if !self.pending.iter().any(again) {
                    self.statements.forget(&name);
                    self.scope.deallocate(&name);
                }
            }
            (b'3', Pending::ClosePortal { name }) => {
                let again = |later: &Pending| matches!(later, Pending::Bind { portal } if *portal == name);
                if !self.pending.iter().any(again) {
                    self.portals.forget(&name);
                }
            }
            _ => return None,
        }
        Some(Relay::Pass)
    }

    /// CommandComplete, EmptyQueryResponse, PortalSuspended.
    fn completed(&mut self, tag: u8, body: &[u8], now: Instant) -> Option<Relay> {
        let running = match self.pending.front_mut()? {
            Pending::Estimate { .. } | Pending::EstimateQuery(_) => return Some(Relay::Drop),
            Pending::ExecuteNothing if tag == b'I' => {
                self.pending.pop_front();
                return Some(Relay::Pass);
            }
            Pending::Query(Run { total: 0, .. }) if tag == b'I' => {
                return Some(Relay::Pass);
            }
            Pending::Query(run) => {
                let running = run.statements.pop_front()?;
                if let Some(next) = run.statements.front_mut() {
                    next.restart_clock(now);
                }
                running
            }
            Pending::Execute(_) => match self.pending.pop_front()? {
                Pending::Execute(running) => *running,
                _ => return None,
            },
            _ => return None,
        };
        Some(self.finish(running, tag, body, now))
    }

    /// The statement is over: what it did counts, and the client is told.
    fn finish(&mut self, running: Running, tag: u8, body: &[u8], now: Instant) -> Relay {
        if let Some(refusal) = &running.killed {
            // It ended before its stop arrived; the client has had only a part and must not think it whole.
            let mut out = BytesMut::new();
            reply::error(&mut out, Severity::Error, refusal);
            self.fail_block = true;
            self.succeeded(&running);
            self.outcome(&running, refusal.sqlstate, now);
            if running.portal.is_some() {
                self.mute();
            }
            return Relay::Replace(out.freeze());
        }
        let commits = matches!(running.facts.transaction, Some(TransactionStep::Commit { .. }));
        if commits && body.starts_with(b"ROLLBACK") {
            self.scope_abort();
        }
        self.succeeded(&running);
        self.outcome(&running, "00000", now);
        if !running.meter.truncated {
            return Relay::Pass;
        }
        let told = std::str::from_utf8(body.strip_suffix(&[0]).unwrap_or(body)).unwrap_or("SELECT");
        let told = if tag == b's' { "SELECT 0" } else { told };
        Relay::Replace(truncated(&running, told))
    }

    fn succeeded(&mut self, running: &Running) {
        let facts = &running.facts;
        let total = running.meter.total_rows();
        if let Some(portal) = running.portal.as_deref().and_then(|name| self.portals.find_mut(name)) {
            portal.rows = total;
        }
        match &facts.cursor {
            Some(CursorStep::Fetch { name }) => {
                self.cursor_rows.insert(name.clone(), total);
            }
            Some(CursorStep::Declare { name, .. } | CursorStep::Close { name }) => {
                self.cursor_rows.remove(name);
            }
            Some(CursorStep::CloseAll) => self.cursor_rows.clear(),
            Some(CursorStep::Move { .. }) | None => {}
        }
        match &facts.prepared {
            Some(PreparedStep::Deallocate { name }) => drop(self.statements.forget(name)),
            Some(PreparedStep::DeallocateAll) => self.statements.clear(),
            Some(PreparedStep::Prepare { .. } | PreparedStep::Execute { .. }) | None => {}
        }
        self.claim(facts);
        if let Some(change) = facts.session.iter().find(|change| change.setting == "application_name") {
            self.application = change.values.first().cloned().unwrap_or_default();
        }
        if changes_scope(facts) {
            self.scope_version = self.scope_version.wrapping_add(1);
            // Judging refused what would not fit.
            if self.scope.apply(facts).is_err() {
                self.draining = true;
            }
        }
    }

    /// Tableau's initial SQL names the person; it holds for the session.
    fn claim(&mut self, facts: &Facts) {
        if self.end_user_source != Some(EndUserSource::InitialSql) {
            return;
        }
        let claimed = facts.session.iter().find(|change| change.setting == "app_context.user_id");
        if let Some(name) = claimed.and_then(|change| change.values.first()) {
            let spoof = self.end_user.as_ref().is_some_and(|known| known.name != *name);
            self.end_user = Some(EndUser { name: name.clone(), source: "initial_sql", spoof });
        }
    }

    pub(super) fn outcome(&mut self, running: &Running, sqlstate: &str, now: Instant) {
        let duration = now.saturating_duration_since(running.started);
        self.effects.push_back(Effect::Outcome(OutcomeRecord {
            identity: Arc::clone(&self.identity),
            statement: running.record,
            rows: running.meter.rows,
            bytes: running.meter.bytes,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            sqlstate: sqlstate.to_owned(),
            truncated: running.meter.truncated,
        }));
    }

    /// The server's word on the transaction stands above what was followed.
    fn sync_status(&mut self, status: Status) {
        if self.status != status {
            self.scope_version = self.scope_version.wrapping_add(1);
        }
        self.status = status;
        self.scope.sync_status(status);
    }

    /// ReadyForQuery.
    fn ready(&mut self, status: Status) -> Option<Relay> {
        let pending = self.pending.pop_front()?;
        if !pending.until_ready() {
            return None;
        }
        if let Pending::EstimateQuery(mut plan) = pending {
            let estimate = match plan.failed.take() {
                Some(body) => Estimate::Failed(body),
                None => plan.estimate(),
            };
            self.sync_status(status);
            self.effects.push_back(Effect::Estimated(estimate));
            return Some(Relay::Drop);
        }
        if !matches!(pending, Pending::FailBlock) {
            self.epoch_answered = self.epoch_answered.wrapping_add(1);
        }
        self.sync_status(status);
        self.muted = false;
        if status == Status::Idle {
            self.portals.end_transaction(self.epoch_answered);
        }
        if std::mem::take(&mut self.fail_block) && status == Status::InBlock && self.pending.is_empty() {
            let mut out = BytesMut::new();
            reply::query(&mut out, POISON);
            self.pending.push_back(Pending::FailBlock);
            self.effects.push_back(Effect::Say(out.freeze()));
            return Some(Relay::Drop);
        }
        Some(Relay::Pass)
    }
}

/// The text of a DataRow's only column.
fn first_column(row: &[u8]) -> String {
    String::from_utf8_lossy(row.get(6..).unwrap_or_default()).into_owned()
}

fn over(running: &Running, code: Code, max: Option<u64>, what: &str) -> Refusal {
    let max = max.unwrap_or_default();
    Refusal::by(code, format_args!("the result is larger than its limit of {max} {what}"))
        .with_detail(running.blame())
        .with_hint("Aggregate or filter it, or fetch less")
}

/// The notice of a truncated result and its CommandComplete with the rows the client got.
pub(super) fn truncated(running: &Running, tag: &str) -> Bytes {
    let mut out = BytesMut::new();
    let rows = running.meter.rows;
    let message = match running.meter.rows_max() {
        Some(max) => format!("tollgate: result truncated at its limit of {max} rows ({})", running.blame()),
        None => format!("tollgate: result truncated ({})", running.blame()),
    };
    reply::notice(&mut out, "01004", &message, Some("Aggregate or filter it, or fetch less"));
    reply::command_complete(&mut out, &retag(tag, rows));
    out.freeze()
}
