//! Commands that move, keep or look at rows without being queries.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Read;
use super::prepared::expressions;
use super::reader::Reader;
use crate::sql::check::add_missed_calls;
use crate::sql::letters::fold;
use crate::sql::lex::{Kind, Token};
use crate::sql::names::{doubt, doubt_function, doubt_name, resolve_read, targets};
use crate::sql::understand::{Context, facts_of, inner_text, query};
use crate::sql::{Class, Egress, Facts, NotUnderstood, TransactionStep};

/// Redshift takes DELETE without FROM.
pub(super) fn delete(tokens: &[Token], context: &Context<'_>) -> Result<Option<Facts>, NotUnderstood> {
    match tokens {
        [first, rest @ ..] if rest.first().is_some_and(|second| second.keyword() != Some("from")) => {
            let from = Kind::Word { value: "from".to_owned(), quoted: false };
            let mut full = vec![first.clone(), Token { kind: from, start: first.end, end: first.end }];
            full.extend_from_slice(rest);
            query(&full, context).map(Some)
        }
        _ => Ok(None),
    }
}

/// Redshift's MERGE … REMOVE DUPLICATES deletes and inserts by itself: it has the facts of a MERGE.
pub(super) fn merge(tokens: &[Token], context: &Context<'_>) -> Result<Option<Facts>, NotUnderstood> {
    let [head @ .., remove, duplicates] = tokens else { return Ok(None) };
    if remove.keyword() != Some("remove") || duplicates.keyword() != Some("duplicates") {
        return Ok(None);
    }
    let mut full = head.to_vec();
    for word in ["when", "matched", "then", "delete"] {
        let kind = Kind::Word { value: word.to_owned(), quoted: false };
        full.push(Token { kind, start: remove.start, end: duplicates.end });
    }
    query(&full, context).map(Some)
}

/// The role that a Redshift command acts with, never a secret.
fn role(tokens: &[Token]) -> Option<String> {
    tokens.windows(2).find_map(|pair| match pair {
        [word, value] if word.keyword() == Some("iam_role") => match &value.kind {
            Kind::Text { value, .. } | Kind::Word { value, .. } => Some(value.clone()),
            _ => None,
        },
        [word, _] if matches!(word.keyword(), Some("credentials" | "access_key_id" | "with_credentials")) => {
            Some("credentials".to_owned())
        }
        _ => None,
    })
}

pub(super) fn copy(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat(&["binary"]);
    let mut facts = Facts::plain(Class::Read, "COPY");
    let mut relation = None;
    if reader.peek().is_some_and(|token| token.is_mark('(')) {
        let inner = reader.brackets().unwrap_or_default();
        facts = query(inner, context)?;
        "COPY".clone_into(&mut facts.command);
        facts.estimate_of = Some(Arc::from(context.source(inner)));
    } else {
        relation = Some(reader.name()?);
        let _ = reader.brackets();
    }
    let inward = match reader.eat_any(&["from", "to"]) {
        Some("from") if relation.is_some() => true,
        Some("to") => false,
        _ => return Err(reader.refuse("COPY without FROM or TO")),
    };
    if let Some(name) = &relation {
        if inward {
            facts.class = Class::Write;
            facts.writes = targets(name, context.scope, &mut facts);
        } else {
            doubt_name(name, &mut facts);
            facts.reads = resolve_read(name, context.scope);
        }
    }
    let program = reader.eat(&["program"]);
    let wire = !program && reader.eat_any(if inward { &["stdin"] } else { &["stdout"] }).is_some();
    if !wire {
        let place = reader.literal()?;
        let remote = place.contains("://");
        if !inward || program || !remote {
            facts.class = facts.class.max(Class::Egress);
        }
        let place = if program { format!("program {place}") } else { place };
        facts.egress.push(Egress { place, role: role(reader.rest()) });
        facts.estimable = false;
        facts.estimate_of = None;
    }
    let listed = ["force_quote", "force_not_null", "force_null"].map(str::to_owned);
    add_missed_calls(reader.rest(), &BTreeSet::from(listed), &mut facts);
    Ok(facts)
}

pub(super) fn unload(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    if !reader.mark('(') {
        return Err(reader.refuse("UNLOAD without a query"));
    }
    let offset = reader.offset();
    let inner = reader.literal()?;
    if !reader.mark(')') || !reader.eat(&["to"]) {
        return Err(reader.refuse("UNLOAD without TO"));
    }
    let mut facts = inner_text(&inner, context, offset)?;
    if facts.class != Class::Read || facts.command != "SELECT" {
        return Err(NotUnderstood { reason: "UNLOAD of something other than a query".to_owned(), offset });
    }
    let place = reader.literal()?;
    facts.egress.push(Egress { place, role: role(reader.rest()) });
    facts.class = facts.class.max(Class::Egress);
    "UNLOAD".clone_into(&mut facts.command);
    if facts.estimable {
        facts.estimate_of = Some(Arc::from(inner));
    }
    Ok(facts)
}

pub(super) fn explain(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut runs = false;
    if let Some(options) = reader.brackets() {
        runs = options.iter().enumerate().any(|(at, token)| {
            let value = options.get(at + 1);
            let off = value.is_some_and(|value| {
                matches!(value.keyword(), Some("false" | "off")) || value.kind == Kind::Number("0".to_owned())
            });
            matches!(&token.kind, Kind::Word { value, .. } if ["analyze", "analyse"].contains(&fold(value).as_str()))
                && !off
        });
    } else {
        while let Some(word) = reader.eat_any(&["analyze", "analyse", "verbose"]) {
            runs |= word != "verbose";
        }
    }
    let rest = reader.rest();
    if !matches!(
        rest.first().and_then(Token::keyword),
        Some(
            "select"
                | "with"
                | "insert"
                | "update"
                | "delete"
                | "merge"
                | "values"
                | "create"
                | "declare"
                | "execute"
        )
    ) && !rest.first().is_some_and(|token| token.is_mark('('))
    {
        return Err(reader.refuse("EXPLAIN of something that is not understood"));
    }
    let mut facts = facts_of(rest, context)?;
    facts.estimate_of = None;
    if runs {
        "EXPLAIN ANALYZE".clone_into(&mut facts.command);
        if facts.estimable {
            facts.estimate_of = Some(Arc::from(context.source(rest)));
        }
        return Ok(facts);
    }
    let mut shown = Facts::plain(Class::Read, "EXPLAIN");
    shown.reads = facts.reads;
    shown.functions = facts.functions;
    shown.doubts = facts.doubts;
    Ok(shown)
}

pub(super) fn truncate(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat(&["table"]);
    let mut facts = Facts::plain(Class::Write, "TRUNCATE");
    for name in reader.names()? {
        let written = targets(&name, context.scope, &mut facts);
        facts.writes.extend(written);
    }
    let _ = reader.eat(&["restart", "identity"]) || reader.eat(&["continue", "identity"]);
    if reader.eat(&["cascade"]) {
        doubt(&mut facts, "TRUNCATE CASCADE empties tables that are not named");
    }
    reader.eat(&["restrict"]);
    reader.end()?;
    facts.transaction = Some(TransactionStep::ImplicitCommit);
    Ok(facts)
}

pub(super) fn lock(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat(&["table"]);
    let mut facts = Facts::plain(Class::Transaction, "LOCK TABLE");
    for name in reader.names()? {
        let locked = targets(&name, context.scope, &mut facts);
        facts.locks.extend(locked);
    }
    Ok(facts)
}

pub(super) fn refresh(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    if !reader.eat(&["materialized", "view"]) {
        return Err(reader.refuse("a REFRESH that is not understood"));
    }
    reader.eat(&["concurrently"]);
    let mut facts = Facts::plain(Class::Write, "REFRESH MATERIALIZED VIEW");
    let name = reader.name()?;
    facts.writes = targets(&name, context.scope, &mut facts);
    Ok(facts)
}

pub(super) fn call(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let name = reader.name()?;
    let arguments = reader.brackets().ok_or_else(|| reader.refuse("CALL without arguments"))?;
    reader.end()?;
    let called = expressions(arguments, context)?;
    let mut facts = Facts::plain(Class::Call, "CALL");
    facts.class = facts.class.max(called.class);
    facts.reads = called.reads;
    facts.writes = called.writes;
    facts.creates = called.creates;
    facts.functions = called.functions;
    facts.doubts = called.doubts;
    doubt_name(&name, &mut facts);
    doubt_function(&name, &mut facts);
    facts.functions.insert(fold(&name.join(".")));
    Ok(facts)
}

pub(super) fn anonymous() -> Read {
    let mut facts = Facts::plain(Class::Call, "DO");
    doubt(&mut facts, "the body of DO is not seen");
    Ok(facts)
}
