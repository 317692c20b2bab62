//! Putting admitted statements and estimates on their way, and watching their clock.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::pending::{Pending, Plan, Run};
use super::step::{Effect, Gate, GateKind};
use super::{Passage, Running, Session};
use crate::refusal::Refusal;
use crate::sql::{CursorStep, Facts};
use crate::wire::reply;

/// EXPLAIN and the blank after it, which an error's position must not count.
const EXPLAIN: &str = "EXPLAIN ";
/// The name of Tollgate's own prepared statement and portal.
const OWN: &str = "tollgate_estimate";
/// How long a stopped statement may take to end before the session is closed.
const STOP_GRACE: Duration = Duration::from_secs(10);

impl Session {
    /// The statements of one query string go on, in order.
    pub fn pass_query(&mut self, passages: Vec<Passage>, now: Instant) {
        let statements = passages
            .into_iter()
            .map(|passage| {
                let carried = self.carried(&passage.facts);
                Running::new(passage, carried, None, &self.identity, now)
            })
            .collect();
        let displaced = self.forget_unnamed();
        let _ = self.push_ready(Pending::Query(Run::of(statements, displaced)));
    }

    /// One Execute goes on.
    pub fn pass_execute(&mut self, portal: &str, passage: Passage, now: Instant) {
        let carried = match self.portals.find(portal) {
            Some(known) => known.rows,
            None => self.cursor_rows.get(portal).copied().unwrap_or_default(),
        };
        let carried = carried.max(self.carried(&passage.facts));
        let running = Running::new(passage, carried, Some(portal.to_owned()), &self.identity, now);
        self.pending.push_back(Pending::Execute(Box::new(running)));
    }

    /// Rows that were already fetched from the cursor a FETCH names.
    fn carried(&self, facts: &Facts) -> u64 {
        match &facts.cursor {
            Some(CursorStep::Fetch { name }) => self.cursor_rows.get(name).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Asks the upstream what statement `at` of the gate would cost. `bind` is the client's own Bind
    /// frame's parameters where the gate stands at one; `text` is the client's whole text.
    pub fn ask_estimate(
        &mut self,
        gate: &Gate,
        at: usize,
        text: &str,
        parameters: &[u8],
        out: &mut BytesMut,
    ) {
        let Some(judged) = gate.statements.get(at) else { return };
        let facts = &judged.statement.facts;
        let subject = facts.estimate_of.as_ref().unwrap_or(&judged.statement.text);
        let explain = format!("{EXPLAIN}{subject}");
        let shift = offset(text, subject) - EXPLAIN.len() as i64;
        let plan = Plan { shift, ..Plan::default() };
        match &gate.kind {
            GateKind::Bind { statement, .. } => {
                let types = self.parameter_types(statement);
                self.ask_extended(&explain, &types, parameters, plan, out);
            }
            GateKind::Query | GateKind::Execute { .. } => self.ask_apart(&explain, plan, out),
        }
    }

    /// Asks the upstream whether anything that is to be written is no table.
    pub fn ask_inspection(&mut self, question: &str, out: &mut BytesMut) {
        let plan = Plan { inspects: true, ..Plan::default() };
        self.ask_apart(question, plan, out);
    }

    /// A question without parameters. A simple query would end an open pipeline's transaction.
    fn ask_apart(&mut self, question: &str, plan: Plan, out: &mut BytesMut) {
        if self.open_pipeline {
            return self.ask_extended(question, &[0; 2], &[0; 4], plan, out);
        }
        reply::query(out, question);
        self.pending.push_back(Pending::EstimateQuery(plan));
    }

    /// The question of a query within a pipeline failed, and with it the query: a Sync ends the skipping,
    /// and is answered as the query.
    pub fn fail_query(&mut self, out: &mut BytesMut) {
        reply::sync(out);
        self.skipping = false;
        let _ = self.push_ready(Pending::Sync);
    }

    fn ask_extended(
        &mut self,
        question: &str,
        types: &[u8],
        parameters: &[u8],
        plan: Plan,
        out: &mut BytesMut,
    ) {
        reply::parse(out, OWN, question, types);
        reply::bind(out, OWN, OWN, parameters);
        reply::execute(out, OWN);
        reply::close(out, b'P', OWN);
        reply::close(out, b'S', OWN);
        reply::flush(out);
        self.pending.push_back(Pending::Estimate { plan, closes: 0 });
    }

    /// When the statement that runs now is out of time.
    pub fn deadline(&self) -> Option<Instant> {
        let running = self.front()?;
        match running.killed {
            None => running.deadline,
            Some(_) => running.deadline.and_then(|deadline| deadline.checked_add(STOP_GRACE)),
        }
    }

    /// The clock reached the deadline: the statement is stopped. An error where it was stopped before
    /// and still runs: the session must end.
    pub fn tick(&mut self, now: Instant) -> Result<(), Refusal> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let Some(running) = self.next_mut() else { return Ok(()) };
        if let Some(killed) = &running.killed {
            return Err(killed.clone());
        }
        running.killed = Some(running.out_of_time());
        self.effects.push_back(Effect::Cancel);
        Ok(())
    }

    /// The statement that the upstream works at, or will as soon as it has dealt with what stands before:
    /// a server keeps its answers to Parse and Bind back until it is asked for them.
    fn front(&self) -> Option<&Running> {
        match self.pending.iter().find(|pending| !pending.is_step())? {
            Pending::Query(run) => run.statements.front(),
            Pending::Execute(running) => Some(running),
            _ => None,
        }
    }

    fn next_mut(&mut self) -> Option<&mut Running> {
        match self.pending.iter_mut().find(|pending| !pending.is_step())? {
            Pending::Query(run) => run.statements.front_mut(),
            Pending::Execute(running) => Some(running),
            _ => None,
        }
    }

    /// The statement whose answer comes now.
    pub(super) fn front_mut(&mut self) -> Option<&mut Running> {
        match self.pending.front_mut()? {
            Pending::Query(run) => run.statements.front_mut(),
            Pending::Execute(running) => Some(running),
            _ => None,
        }
    }
}

/// Characters of `text` before `part`; 0 where it does not stand there as it is.
fn offset(text: &str, part: &str) -> i64 {
    let before = text.find(part).and_then(|at| text.get(..at)).unwrap_or_default();
    i64::try_from(before.chars().count()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statements_offset_counts_characters() {
        assert_eq!(offset("sélect 1; select 2", "select 2"), 10);
        assert_eq!(offset("select 1", "no"), 0);
    }
}
