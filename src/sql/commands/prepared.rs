//! Cursors and prepared statements.

use std::sync::Arc;

use super::Read;
use super::reader::Reader;
use crate::sql::lex::{Kind, Token};
use crate::sql::names::{doubt, doubt_own};
use crate::sql::understand::{Context, facts_of, inner_text, query};
use crate::sql::{Class, CursorStep, Facts, PreparedStep, Relation, TransactionStep};

pub(super) fn declare(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let name = reader.word()?;
    while reader.eat_any(&["binary", "insensitive", "asensitive", "scroll"]).is_some()
        || reader.eat(&["no", "scroll"])
    {}
    if !reader.eat(&["cursor"]) {
        return Err(reader.refuse("DECLARE without CURSOR"));
    }
    let hold = reader.eat(&["with", "hold"]);
    if !hold {
        reader.eat(&["without", "hold"]);
    }
    if !reader.eat(&["for"]) {
        return Err(reader.refuse("DECLARE without FOR"));
    }
    let rest = reader.rest();
    let mut facts = query(rest, context)?;
    "DECLARE".clone_into(&mut facts.command);
    doubt_own(&name, context.scope, &mut facts);
    unsettle(&mut facts);
    facts.estimate_of = Some(Arc::from(context.source(rest)));
    facts.cursor = Some(CursorStep::Declare { name, hold });
    Ok(facts)
}

/// What runs later, or in parts, changes the session then and not now.
fn unsettle(facts: &mut Facts) {
    facts.settled.clear();
    facts.session.clear();
    facts.signals.clear();
}

pub(super) fn fetch(word: &str, reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let Some((last, before)) = reader.rest().split_last() else {
        return Err(reader.refuse("FETCH without a cursor"));
    };
    let Kind::Word { value: name, .. } = &last.kind else {
        return Err(reader.refuse("FETCH without a cursor"));
    };
    let plain = before.iter().all(|token| {
        matches!(&token.kind, Kind::Number(_))
            || token.kind == Kind::Op("-".to_owned())
            || token.keyword().is_some_and(|word| {
                [
                    "next", "prior", "first", "last", "absolute", "relative", "all", "forward", "backward",
                    "from", "in",
                ]
                .contains(&word)
            })
    });
    if !plain {
        return Err(reader.refuse("a FETCH that is not understood"));
    }
    let mut facts = Facts::plain(Class::Read, word.to_ascii_uppercase());
    // FETCH of a portal would count its rows apart from those that Execute takes.
    let portal = if word == "move" { context.scope.portal(name) } else { None };
    match context.scope.cursor(name).or(portal) {
        Some(declared) => {
            facts = Facts::clone(declared);
            facts.command = word.to_ascii_uppercase();
            facts.estimable = false;
            facts.estimate_of = None;
        }
        // The server says no to everything in a failed block.
        None if context.scope.is_failed() => {}
        None => doubt(&mut facts, format!("the cursor `{name}` is not known")),
    }
    let name = name.clone();
    doubt_own(&name, context.scope, &mut facts);
    facts.cursor = Some(if word == "move" { CursorStep::Move { name } } else { CursorStep::Fetch { name } });
    Ok(facts)
}

pub(super) fn close(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Session, "CLOSE");
    facts.cursor = Some(if reader.eat(&["all"]) {
        CursorStep::CloseAll
    } else {
        let name = reader.word()?;
        doubt_own(&name, context.scope, &mut facts);
        CursorStep::Close { name }
    });
    reader.end()?;
    Ok(facts)
}

pub(super) fn prepare(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    if reader.keyword() == Some("transaction") {
        return Err(reader.refuse("a two-phase commit"));
    }
    let name = reader.word()?;
    let _ = reader.brackets();
    if !reader.eat(&["as"]) {
        return Err(reader.refuse("PREPARE without AS"));
    }
    let rest = reader.rest();
    let mut facts = query(rest, context)?;
    "PREPARE".clone_into(&mut facts.command);
    doubt_own(&name, context.scope, &mut facts);
    // Made at EXECUTE, and judged now as then.
    facts.alters.extend(std::mem::take(&mut facts.creates));
    unsettle(&mut facts);
    facts.estimable = false;
    facts.prepared = Some(PreparedStep::Prepare { name, text: Arc::from(context.source(rest)) });
    Ok(facts)
}

pub(super) fn execute(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let offset = reader.offset();
    let name = reader.word()?;
    let mut facts = match context.scope.prepared(&name) {
        Some(text) => {
            let scope = context.scope.since(context.scope.prepared_epoch(&name));
            inner_text(text, &context.with_scope(&scope), offset)?
        }
        None => {
            let mut facts = Facts::plain(Class::Call, "EXECUTE");
            if !context.scope.is_failed() {
                doubt(&mut facts, format!("the prepared statement `{name}` is not known"));
            }
            facts
        }
    };
    if let Some(arguments) = reader.brackets() {
        let called = expressions(arguments, context)?;
        facts.functions.extend(called.functions);
        facts.reads.extend(called.reads);
    }
    reader.end()?;
    let odd = facts.command.contains("VIEW") || facts.command.contains("SEQUENCE");
    if odd && facts.creates.iter().any(Relation::is_temp) {
        doubt(&mut facts, "a temporary view or sequence made by EXECUTE");
    }
    if !matches!(facts.transaction, None | Some(TransactionStep::ImplicitCommit)) {
        doubt(&mut facts, "a step of the transaction by EXECUTE");
    }
    "EXECUTE".clone_into(&mut facts.command);
    doubt_own(&name, context.scope, &mut facts);
    facts.estimable = false;
    facts.prepared = Some(PreparedStep::Execute { name });
    Ok(facts)
}

/// The facts of a list of expressions.
pub(super) fn expressions(tokens: &[Token], context: &Context<'_>) -> Read {
    let Some(first) = tokens.first() else { return Ok(Facts::plain(Class::Read, "SELECT")) };
    let kind = Kind::Word { value: "select".to_owned(), quoted: false };
    let mut selected = vec![Token { kind, start: first.start, end: first.start }];
    selected.extend_from_slice(tokens);
    facts_of(&selected, context)
}

pub(super) fn deallocate(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat(&["prepare"]);
    let mut facts = Facts::plain(Class::Session, "DEALLOCATE");
    facts.prepared = Some(if reader.eat(&["all"]) {
        PreparedStep::DeallocateAll
    } else {
        let name = reader.word()?;
        doubt_own(&name, context.scope, &mut facts);
        PreparedStep::Deallocate { name }
    });
    reader.end()?;
    Ok(facts)
}
