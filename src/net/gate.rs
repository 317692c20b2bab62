//! Frames with statements: inspected, estimated, admitted and recorded before they go on.

use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;

use super::driver::{Driver, End, OpenGate};
use super::inspect;
use super::snapshot::redefines;
use super::upstream::{Approved, Plain};
use crate::audit::record::{OutcomeRecord, Ruling, StatementRecord};
use crate::audit::{Event, Recorded};
use crate::policy::{Permit, through_view};
use crate::refusal::{Code, Refusal};
use crate::session::{
    Asked, Estimate, Gate, GateKind, Judged, Passage, Protest, Refused, sqlstate, status_byte,
};
use crate::wire::message::decode;
use crate::wire::reply::{self, Severity};
use crate::wire::{Frontend, Header};

impl Driver {
    /// One step of the frame at the gate; false where an estimate is awaited.
    pub(super) async fn advance_gate(&mut self) -> Result<bool, End> {
        let Some(mut open) = self.gate.take() else { return Ok(true) };
        if let Some(answer) = open.answered.take() {
            match self.weigh(&mut open, answer).await {
                Weighed::Light => {}
                Weighed::Done => return Ok(true),
            }
        }
        if open.awaiting {
            self.gate = Some(open);
            return Ok(false);
        }
        if !open.inspected
            && let Some((at, refusal)) = self.claimed.claim(&open.gate, &self.live.rules)
        {
            self.refuse_gate(open, at, refusal).await;
            return Ok(true);
        }
        if !std::mem::replace(&mut open.inspected, true)
            && let Some(question) = inspect::question(&open.gate)
        {
            if let Some((at, refusal)) = inspect::hidden(&open.gate) {
                self.refuse_gate(open, at, refusal).await;
                return Ok(true);
            }
            let session = &mut self.session;
            self.upstream.say(|out| session.ask_inspection(&question, out));
            open.awaiting = true;
            self.gate = Some(open);
            return Ok(false);
        }
        if let Some(at) = next_estimate(&mut open) {
            if unforeseeable(&open.gate, at) {
                self.refuse_gate(open, at, blind()).await;
                return Ok(true);
            }
            self.ask(&open, at);
            open.awaiting = true;
            self.gate = Some(open);
            return Ok(false);
        }
        self.pass_gate(open).await;
        Ok(true)
    }

    fn ask(&mut self, open: &OpenGate, at: usize) {
        let Some(frame) = self.client.input.get(..open.frame_bytes) else { return };
        let body = frame.get(Header::BYTES..).unwrap_or_default();
        let tag = frame.first().copied().unwrap_or_default();
        let (text, parameters) = match decode(tag, body) {
            Ok(Frontend::Query(text)) => (text, &[][..]),
            Ok(Frontend::Bind { parameters, .. }) => ("", parameters),
            _ => ("", &[][..]),
        };
        crate::telemetry::explained();
        let session = &mut self.session;
        self.upstream.say(|out| session.ask_estimate(&open.gate, at, text, parameters, out));
    }

    /// An estimate came in.
    async fn weigh(&mut self, open: &mut OpenGate, answer: Estimate) -> Weighed {
        let at = open.estimates.len();
        match answer {
            Estimate::Cost(cost) => {
                let cap = open.gate.statements.get(at).and_then(|judged| judged.permit.obligations().cost);
                open.estimates.push(cost);
                let refusal = match (cost, cap) {
                    (Some(cost), Some(cap)) if cost > cap => heavy(cost, cap),
                    (None, Some(_)) => blind(),
                    _ => return Weighed::Light,
                };
                let open = std::mem::replace(open, OpenGate::closed());
                self.refuse_gate(open, at, refusal).await;
            }
            Estimate::Failed(error) => {
                // The statement's own error, had anywhere else: it is recorded as asked for and failed.
                let open = std::mem::replace(open, OpenGate::closed());
                let body = error.get(Header::BYTES..).unwrap_or_default();
                self.record_failed(&open, &sqlstate(body)).await;
                self.upstream.settle(&mut self.client.output);
                self.client.output.extend_from_slice(&error);
                reply::ready(&mut self.client.output, status_byte(self.session.status()));
                self.client.input.advance(open.frame_bytes);
            }
            Estimate::View(None) => return Weighed::Light,
            Estimate::View(Some(view)) => {
                let open = std::mem::replace(open, OpenGate::closed());
                self.refuse_gate(open, at, through_view(&view)).await;
            }
            Estimate::Told(code) => {
                let open = std::mem::replace(open, OpenGate::closed());
                self.record_failed(&open, &code).await;
                if open.gate.kind == GateKind::Query {
                    let session = &mut self.session;
                    self.upstream.say(|out| session.fail_query(out));
                }
                self.client.input.advance(open.frame_bytes);
            }
            Estimate::Skipped => self.client.input.advance(open.frame_bytes),
        }
        Weighed::Done
    }

    async fn record_failed(&mut self, open: &OpenGate, sqlstate: &str) {
        for judged in &open.gate.statements {
            let recorded = self.shared.record(&self.entry(&open.gate.asked, judged, None)).await;
            match recorded {
                Ok(recorded) => self.record_unrun(&recorded, sqlstate),
                Err(error) => tracing::error!(%error, "a failed statement could not be recorded"),
            }
        }
    }

    /// The outcome of a statement that failed before it ran.
    fn record_unrun(&self, recorded: &Recorded, sqlstate: &str) {
        let outcome = OutcomeRecord {
            identity: Arc::clone(self.session.identity()),
            statement: recorded.id(),
            rows: 0,
            bytes: 0,
            duration_us: 0,
            sqlstate: sqlstate.to_owned(),
            truncated: false,
        };
        self.shared.record_soon(&Event::Outcome(&outcome));
    }

    /// Everything is known: admission, record, and on it goes.
    async fn pass_gate(&mut self, open: OpenGate) {
        if let GateKind::Bind { portal, statement } = &open.gate.kind {
            let estimate = open.estimates.first().copied().flatten();
            // A statement that an error has undone meanwhile: the frame is judged anew, and told so.
            if self.session.bound(portal, statement, estimate) {
                if let Some(plain) = self.client.input.get(..open.frame_bytes).and_then(Plain::new) {
                    self.upstream.relay(plain);
                }
                self.client.input.advance(open.frame_bytes);
            }
            return;
        }
        if let Some(refusal) = self.portal_too_heavy(&open.gate) {
            return self.refuse_gate(open, 0, refusal).await;
        }
        if let Some(refusal) = self.admit(&open.gate) {
            return self.refuse_gate(open, 0, refusal).await;
        }
        match self.record(&open).await {
            Ok(proofs) => self.forward(open, proofs),
            Err(error) => {
                tracing::error!(%error, "a statement could not be recorded");
                let refusal = Refusal::by(Code::AuditUnavailable, "the audit cannot be written")
                    .with_hint("Nothing was run. Try again later; the operators have been told");
                self.refuse_gate(open, 0, refusal).await;
            }
        }
    }

    /// An Execute is weighed by what its Bind learned, against the cap live now.
    fn portal_too_heavy(&self, gate: &Gate) -> Option<Refusal> {
        let (GateKind::Execute { .. }, Some(judged)) = (&gate.kind, gate.statements.first()) else {
            return None;
        };
        let cap = judged.permit.obligations().cost?;
        match gate.estimate {
            Some(cost) if cost > cap => Some(heavy(cost, cap)),
            None if judged.is_weighed() && judged.statement.facts.cursor.is_none() => Some(blind()),
            Some(_) | None => None,
        }
    }

    fn admit(&mut self, gate: &Gate) -> Option<Refusal> {
        if self.slot.is_some() {
            return None;
        }
        let max = gate.statements.iter().filter_map(|judged| judged.permit.obligations().concurrent).min()?;
        self.slot = self.line.admit(max);
        if self.slot.is_some() {
            return None;
        }
        let text = format!("{max} of your statements already run, which is the limit");
        Some(Refusal::by(Code::ConcurrencyLimit, text).with_hint("Wait for one to end, or cancel it"))
    }

    async fn record(&mut self, open: &OpenGate) -> Result<Vec<Recorded>, crate::audit::AuditError> {
        let mut proofs = Vec::with_capacity(open.gate.statements.len());
        for (at, judged) in open.gate.statements.iter().enumerate() {
            let estimate = open.estimates.get(at).copied().flatten().or(open.gate.estimate);
            let entry = self.entry(&open.gate.asked, judged, estimate);
            proofs.push(self.shared.record(&entry).await?);
        }
        Ok(proofs)
    }

    fn entry<'a>(&'a self, asked: &'a Asked, judged: &'a Judged, estimate: Option<f64>) -> Event<'a> {
        Event::Statement(StatementRecord {
            identity: self.session.identity(),
            end_user: asked.end_user.as_ref(),
            application: self.session.application(),
            protocol: asked.protocol,
            statement: &judged.statement,
            ruling: Ruling::Allowed(&judged.permit),
            estimate,
        })
    }

    fn forward(&mut self, open: OpenGate, recorded: Vec<Recorded>) {
        let now = Instant::now();
        let OpenGate { gate, frame_bytes, .. } = open;
        let Gate { kind, statements, .. } = gate;
        let count = statements.len();
        let mut passages = Vec::with_capacity(count);
        let mut proofs: Vec<(Permit, Recorded)> = Vec::with_capacity(count);
        for (Judged { statement, permit, .. }, recorded) in statements.into_iter().zip(recorded) {
            crate::telemetry::allowed(statement.facts.class);
            if redefines(&statement.facts) {
                self.redefining.insert(recorded.id());
            }
            passages.push(Passage { record: recorded.id(), facts: statement.facts, permit: permit.clone() });
            proofs.push((permit, recorded));
        }
        let approved =
            self.client.input.get(..frame_bytes).and_then(|frame| Approved::new(frame, count, &proofs));
        if let Some(approved) = approved {
            self.upstream.forward(approved);
            match kind {
                GateKind::Query => self.session.pass_query(passages, now),
                GateKind::Execute { portal } => {
                    if let Some(passage) = passages.pop() {
                        self.session.pass_execute(&portal, passage, now);
                    }
                }
                GateKind::Bind { .. } => {}
            }
        }
        self.client.input.advance(frame_bytes);
    }

    /// The gate's frame does not go on, for a reason of statement `at`.
    async fn refuse_gate(&mut self, open: OpenGate, at: usize, refusal: Refusal) {
        let in_query = open.gate.kind == GateKind::Query;
        let reason = refusal.message.trim_start_matches("tollgate: ").to_owned();
        let mut protests = Vec::new();
        let mut place = None;
        for (index, judged) in open.gate.statements.into_iter().enumerate() {
            let rule = judged.permit.obligations().place.clone();
            let protest = Protest {
                statement: judged.statement,
                rule: rule.clone(),
                reason: if index == at {
                    reason.clone()
                } else {
                    format!("statement {} of the same text is refused", at + 1)
                },
            };
            if index == at {
                place = rule;
                protests.insert(0, protest);
            } else {
                protests.push(protest);
            }
        }
        let name = &self.session.principal().name;
        let detail = match place {
            Some(place) => format!("{name}, rule {place}"),
            None => name.clone(),
        };
        let refused =
            Refused { refusal: refusal.with_detail(detail), asked: open.gate.asked, protests, in_query };
        self.refuse(refused, open.frame_bytes).await;
    }

    /// Records a refusal and tells the client in its place; `frame_bytes` of the input are done with.
    pub(super) async fn refuse(&mut self, refused: Refused, frame_bytes: usize) {
        let Refused { mut refusal, asked, protests, in_query } = refused;
        let mut first = None;
        for protest in protests {
            crate::telemetry::statement("deny", refusal.code, protest.statement.facts.class);
            let code = refusal.code.unwrap_or(Code::NotUnderstood);
            let entry = Event::Statement(StatementRecord {
                identity: self.session.identity(),
                end_user: asked.end_user.as_ref(),
                application: self.session.application(),
                protocol: asked.protocol,
                statement: &protest.statement,
                ruling: Ruling::Denied { code, rule: protest.rule.as_ref(), reason: &protest.reason },
                estimate: None,
            });
            match self.shared.record(&entry).await {
                Ok(recorded) => {
                    first.get_or_insert(recorded.id());
                }
                Err(error) => tracing::error!(%error, "a refusal could not be recorded"),
            }
        }
        if let Some(id) = first {
            let detail = refusal.detail.take().unwrap_or_else(|| self.session.principal().name.clone());
            refusal.detail = Some(format!("{detail}, audit {id}"));
        }
        self.client.input.advance(frame_bytes);
        if in_query && self.session.answers_alone() {
            self.upstream.settle(&mut self.client.output);
            reply::error(&mut self.client.output, Severity::Error, &refusal);
            reply::ready(&mut self.client.output, status_byte(self.session.status()));
            return;
        }
        self.upstream.say(|out| {
            if in_query {
                reply::query(out, reply::POISON);
            } else {
                reply::parse(out, "tollgate_refused", reply::POISON, &[0, 0]);
            }
        });
        self.session.poisoned(refusal, in_query);
    }
}

enum Weighed {
    /// Under its cap: go on.
    Light,
    /// The frame is dealt with.
    Done,
}

impl OpenGate {
    /// Stands where one was taken out.
    fn closed() -> Self {
        let asked = Asked { protocol: crate::audit::record::Protocol::Simple, end_user: None };
        let gate = Gate { kind: GateKind::Query, statements: Vec::new(), asked, estimate: None };
        Self {
            gate,
            frame_bytes: 0,
            inspected: false,
            estimates: Vec::new(),
            awaiting: false,
            answered: None,
        }
    }
}

/// The next statement whose cost must be known; those without a cap are passed over.
fn next_estimate(open: &mut OpenGate) -> Option<usize> {
    if matches!(open.gate.kind, GateKind::Execute { .. }) {
        return None;
    }
    while let Some(judged) = open.gate.statements.get(open.estimates.len()) {
        if judged.is_weighed() {
            return Some(open.estimates.len());
        }
        open.estimates.push(None);
    }
    None
}

/// Whether an earlier statement of the text changes what statement `at` would read.
fn unforeseeable(gate: &Gate, at: usize) -> bool {
    gate.statements.iter().take(at).any(|judged| {
        let facts = &judged.statement.facts;
        !facts.creates.is_empty()
            || !facts.alters.is_empty()
            || facts.session.iter().any(|change| change.setting == "search_path" || change.setting == "*")
    })
}

fn heavy(cost: f64, cap: f64) -> Refusal {
    let text = format!("estimated cost {cost:.0} is over your limit of {cap:.0}");
    Refusal::by(Code::CostLimit, text).with_hint(
        "Filter earlier, join on keys, read fewer columns and days; EXPLAIN shows where the cost is",
    )
}

fn blind() -> Refusal {
    Refusal::by(
        Code::CostLimit,
        "the cost of this statement cannot be estimated before those around it have run",
    )
    .with_hint("Send it by itself")
}
