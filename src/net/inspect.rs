//! Rows are changed in tables alone: a view may lead to any other schema's tables.
//!
//! Rules judge by names, and PostgreSQL writes through simple views to what stands behind them. So the
//! upstream is asked, on the same session, whether a name that is written is anything but a table.

use crate::refusal::{Code, Refusal};
use crate::session::Gate;
use crate::sql::{Facts, Relation, TransactionStep};

/// The question for all that the gate's statements write; `None` where they write nothing permanent.
/// Its answer has a row for each relation that is no table. Names are compared as rules compare them.
pub(super) fn question(gate: &Gate) -> Option<String> {
    // A planned statement was inspected at its Bind, and stays with what it found there.
    let written: Vec<String> = gate
        .statements
        .iter()
        .filter(|judged| {
            let executes = matches!(gate.kind, crate::session::GateKind::Execute { .. });
            !executes || !judged.statement.facts.is_planned()
        })
        // A materialized view is filled from its own definition, whoever asks.
        .filter(|judged| judged.statement.facts.command != "REFRESH MATERIALIZED VIEW")
        .flat_map(|judged| judged.statement.facts.writes.iter().chain(&judged.statement.facts.locks))
        .filter(|written| !written.is_temp())
        .map(condition)
        .collect();
    if written.is_empty() {
        return None;
    }
    Some(format!(
        "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind NOT IN ('r', 'p') AND ({}) LIMIT 1",
        written.join(" OR ")
    ))
}

fn condition(relation: &Relation) -> String {
    let literal = |text: &str| format!("lower('{}')", text.replace('\'', "''"));
    let (schema, name) = (literal(&relation.schema), literal(&relation.name));
    format!("(lower(n.nspname) = {schema} AND lower(c.relname) = {name})")
}

/// A statement whose target an earlier one of its text makes something that the question cannot know yet.
pub(super) fn hidden(gate: &Gate) -> Option<(usize, Refusal)> {
    let statements = &gate.statements;
    // A backslash means one thing to PostgreSQL and another to Redshift: no literal would be safe.
    let odd = statements.iter().position(|judged| {
        judged.statement.facts.writes.iter().any(|written| written.to_string().contains('\\'))
    });
    if let Some(at) = odd {
        let refusal = Refusal::by(Code::UnlistedWrite, "a name with a backslash cannot be checked");
        return Some((at, refusal.with_hint("Rename it")));
    }
    statements.iter().enumerate().find_map(|(at, judged)| {
        let writes = &judged.statement.facts.writes;
        let before = statements.iter().take(at);
        let changed = before.map(|earlier| &*earlier.statement.facts).find_map(|earlier| {
            writes.iter().find(|written| !written.is_temp() && remakes(earlier, written))
        })?;
        let text = format!("{changed} is changed earlier in the same text, so what it is cannot be checked");
        Some((at, Refusal::by(Code::UnlistedWrite, text).with_hint("Send the statements one at a time")))
    })
}

/// Whether a statement may leave another thing than a table under this name.
fn remakes(facts: &Facts, relation: &Relation) -> bool {
    // What a rollback brings back is not there to be asked about.
    let rewinds = matches!(
        facts.transaction,
        Some(
            TransactionStep::Commit { .. }
                | TransactionStep::Rollback { .. }
                | TransactionStep::RollbackTo(_)
        )
    );
    if rewinds {
        return true;
    }
    let makes_table = facts.command.starts_with("CREATE TABLE") || facts.command == "SELECT INTO";
    facts.alters.contains(relation) || (facts.creates.contains(relation) && !makes_table)
}
