//! Tables, views and indexes: what their definitions read, call and lean on.

use std::collections::BTreeSet;

use super::Read;
use super::reader::Reader;
use crate::sql::check::add_calls;
use crate::sql::letters::fold;
use crate::sql::lex::Token;
use crate::sql::names::{created, doubt, doubt_name, doubt_target, resolve, resolve_target, targets};
use crate::sql::understand::{Context, facts_of};
use crate::sql::{Class, Facts, NotUnderstood, Relation};

pub(super) fn table(reader: &mut Reader<'_>, temporary: bool, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "CREATE TABLE");
    reader.if_exists();
    let name = reader.name()?;
    facts.creates = created(&name, temporary, context.scope, &mut facts);
    let rest = reader.rest();
    let start = query_start(rest);
    let (head, query) = rest.split_at_checked(start.unwrap_or(rest.len())).unwrap_or((rest, &[]));
    if start.is_some() {
        "CREATE TABLE AS".clone_into(&mut facts.command);
        take_query(query, &mut facts, context)?;
    } else if !head.iter().any(|token| token.is_mark('('))
        && !matches!(head.first().and_then(Token::keyword), Some("partition" | "of"))
    {
        return Err(reader.refuse("CREATE TABLE without columns"));
    }
    definition(head, &mut facts, context);
    if temporary && !facts.alters.is_empty() {
        doubt(&mut facts, "a temporary relation that may vanish with its parent");
    }
    let drops = |pair: &[Token]| pair.iter().map(Token::keyword).eq([Some("commit"), Some("drop")]);
    if head.windows(2).any(drops) {
        doubt(&mut facts, "ON COMMIT DROP ends a temporary relation unseen");
    }
    Ok(facts)
}

pub(super) fn view(
    reader: &mut Reader<'_>,
    temporary: bool,
    materialized: bool,
    context: &Context<'_>,
) -> Read {
    let command = if materialized { "CREATE MATERIALIZED VIEW" } else { "CREATE VIEW" };
    let mut facts = Facts::plain(Class::Ddl, command);
    reader.if_exists();
    let name = reader.name()?;
    facts.creates = created(&name, temporary, context.scope, &mut facts);
    let rest = reader.rest();
    let Some(start) = query_start(rest) else { return Err(reader.refuse("CREATE VIEW without AS")) };
    take_query(rest.get(start..).unwrap_or_default(), &mut facts, context)?;
    facts.estimable = false;
    if facts.reads.iter().any(Relation::is_temp) && !temporary {
        doubt(&mut facts, "a view over temporary relations is temporary itself");
    }
    Ok(facts)
}

pub(super) fn index(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "CREATE INDEX");
    reader.eat(&["concurrently"]);
    reader.if_exists();
    if !reader.eat(&["on"]) {
        reader.name()?;
        if !reader.eat(&["on"]) {
            return Err(reader.refuse("CREATE INDEX without ON"));
        }
    }
    reader.eat(&["only"]);
    let table = reader.name()?;
    facts.alters = targets(&table, context.scope, &mut facts);
    let methods = ["btree", "hash", "gist", "gin", "brin", "spgist"].map(str::to_owned);
    add_calls(reader.rest(), &methods.into(), &mut facts);
    Ok(facts)
}

/// Where the query of `… AS query` begins, outside brackets.
fn query_start(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        depth += usize::from(token.is_mark('('));
        depth = depth.saturating_sub(usize::from(token.is_mark(')')));
        let stored =
            at.checked_sub(1).and_then(|at| tokens.get(at)).and_then(Token::keyword) == Some("stored");
        if depth == 0 && token.keyword() == Some("as") && !stored {
            return Some(at + 1);
        }
    }
    None
}

/// The query without the words that may follow it in CREATE.
fn trimmed(tokens: &[Token]) -> &[Token] {
    let tails: &[&[&str]] = &[
        &["with", "no", "schema", "binding"],
        &["with", "no", "data"],
        &["with", "data"],
        &["with", "check", "option"],
        &["with", "local", "check", "option"],
        &["with", "cascaded", "check", "option"],
    ];
    for tail in tails {
        if let Some(at) = tokens.len().checked_sub(tail.len())
            && let Some((query, end)) = tokens.split_at_checked(at)
            && end.iter().zip(*tail).all(|(token, word)| token.keyword() == Some(word))
        {
            return query;
        }
    }
    tokens
}

/// Takes over what a query reads, calls and changes.
fn take_query(tokens: &[Token], facts: &mut Facts, context: &Context<'_>) -> Result<(), NotUnderstood> {
    let tokens = trimmed(tokens);
    let first = tokens.first();
    let begins = first.is_some_and(|token| token.is_mark('('))
        || matches!(first.and_then(Token::keyword), Some("select" | "with" | "values" | "execute" | "table"));
    if !begins {
        let offset = first.map_or(0, |token| token.start);
        return Err(NotUnderstood { reason: "AS without a query".to_owned(), offset });
    }
    let inner = facts_of(tokens, context)?;
    facts.class = facts.class.max(inner.class);
    facts.reads.extend(inner.reads);
    facts.writes.extend(inner.writes);
    facts.creates.extend(inner.creates);
    facts.locks.extend(inner.locks);
    facts.functions.extend(inner.functions);
    facts.doubts.extend(inner.doubts);
    facts.estimable = inner.estimable;
    Ok(())
}

/// Relations that stand behind these keywords anywhere in a definition.
pub(super) fn behind(words: &[&str], tokens: &[Token]) -> Vec<Vec<String>> {
    let named = |at: usize| {
        let here = tokens.get(at..at + words.len())?;
        if !here.iter().zip(words).all(|(token, word)| token.keyword() == Some(word)) {
            return None;
        }
        let mut reader = Reader::new(tokens.get(at + words.len()..).unwrap_or_default());
        let bracketed = reader.mark('(');
        let names = if bracketed { reader.names() } else { reader.name().map(|name| vec![name]) };
        names.ok()
    };
    (0..tokens.len()).filter_map(named).flatten().collect()
}

/// What the tokens of a definition, or of its change, lean on besides what they name.
pub(super) fn definition(tokens: &[Token], facts: &mut Facts, context: &Context<'_>) {
    let constraints = behind(&["constraint"], tokens).into_iter().flatten();
    let mut listed: BTreeSet<String> = constraints.map(|name| fold(&name)).collect();
    // A foreign key holds its table's rows in place for everyone.
    for name in behind(&["references"], tokens) {
        facts.locks.extend(resolve(&name, context.scope));
    }
    for name in behind(&["references"], tokens).into_iter().chain(behind(&["like"], tokens)) {
        doubt_name(&name, facts);
        listed.extend(name.last().map(|name| fold(name)));
        facts.reads.extend(resolve(&name, context.scope));
    }
    copied_defaults(tokens, facts, context);
    let parents = [
        &["inherits"][..],
        &["inherit"],
        &["of"],
        &["partition", "of"],
        &["attach", "partition"],
        &["detach", "partition"],
    ];
    for name in parents.into_iter().flat_map(|words| behind(words, tokens)) {
        doubt_target(&name, facts);
        listed.extend(name.last().map(|name| fold(name)));
        facts.alters.extend(resolve_target(&name, context.scope));
    }
    // A sequence's owner is a column.
    for mut column in behind(&["owned", "by"], tokens) {
        column.pop();
        if !column.is_empty() {
            doubt_target(&column, facts);
            facts.alters.extend(resolve_target(&column, context.scope));
        }
    }
    // The sequence behind an identity column.
    for name in behind(&["sequence", "name"], tokens) {
        doubt_target(&name, facts);
        facts.alters.extend(resolve_target(&name, context.scope));
    }
    facts.cascades |= cascades(tokens);
    add_calls(tokens, &listed, facts);
}

/// LIKE … INCLUDING DEFAULTS copies calls that no text shows; where there are neither sequences nor
/// functions of users' there is nothing to call.
fn copied_defaults(tokens: &[Token], facts: &mut Facts, context: &Context<'_>) {
    let copies = tokens.windows(2).any(|pair| {
        let [including, what] = pair else { return false };
        including.keyword() == Some("including")
            && matches!(
                what.keyword(),
                Some(
                    "all" | "defaults" | "constraints" | "generated" | "identity" | "indexes" | "statistics"
                )
            )
    });
    if !copies {
        return;
    }
    if !context.scope.catalog().is_some_and(|catalog| catalog.is_inert()) {
        doubt(facts, "what LIKE … INCLUDING copies may call functions");
    }
}

/// CASCADE that is no foreign key's action.
pub(super) fn cascades(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at)).and_then(Token::keyword);
        token.keyword() == Some("cascade") && !matches!(before, Some("delete" | "update"))
    })
}
