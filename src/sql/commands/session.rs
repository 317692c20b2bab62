//! Settings, transactions, notifications.

use super::Read;
use super::reader::Reader;
use crate::sql::lex::{Kind, Token, fold, is_cased};
use crate::sql::names::{doubt, doubt_own};
use crate::sql::understand::Context;
use crate::sql::{Class, CursorStep, Facts, NotUnderstood, PreparedStep, SessionChange, TransactionStep};

fn changed(command: &str, class: Class, setting: &str, values: Vec<String>, local: bool) -> Facts {
    let mut facts = Facts::plain(class, command);
    if setting == "search_path" && values.iter().any(|schema| schema.eq_ignore_ascii_case("temp")) {
        doubt(&mut facts, "a schema named `temp` cannot be told from temporary relations");
    }
    if setting == "search_path" && values.iter().any(|schema| is_cased(schema)) {
        doubt(&mut facts, "a schema on the path is another one where quoted capitals are kept");
    }
    if setting == "search_path"
        && values.iter().skip(1).any(|schema| schema.eq_ignore_ascii_case("pg_catalog"))
    {
        doubt(&mut facts, "`pg_catalog` behind another schema lets its functions stand for built-in ones");
    }
    facts.session.push(SessionChange { setting: setting.to_owned(), values, local });
    facts
}

/// Which class a setting's change has: who one is weighs as a privilege.
fn class_of(setting: &str) -> Class {
    match setting {
        "role" | "session_authorization" => Class::Dcl,
        _ => Class::Session,
    }
}

pub(super) fn set(reader: &mut Reader<'_>) -> Read {
    if reader.eat(&["session", "characteristics"]) || reader.eat(&["transaction"]) {
        let values = words(reader.rest());
        return Ok(changed("SET", Class::Session, "transaction", values, false));
    }
    if reader.eat(&["constraints"]) {
        return Ok(changed("SET", Class::Session, "constraints", words(reader.rest()), false));
    }
    let local = reader.eat(&["local"]);
    if !local {
        reader.eat(&["session"]);
    }
    if reader.eat(&["session", "authorization"]) || reader.eat(&["authorization"]) {
        let values = values(reader)?;
        return Ok(changed("SET", Class::Dcl, "session_authorization", values, local));
    }
    let special = [("role", Class::Dcl), ("names", Class::Session)];
    for (word, class) in special {
        if reader.keyword() == Some(word) && !reader.rest().get(1).is_some_and(is_assignment) {
            reader.skip();
            let setting = if word == "names" { "client_encoding" } else { word };
            return Ok(changed("SET", class, setting, values(reader)?, local));
        }
    }
    if reader.eat(&["time", "zone"]) {
        let values = words(reader.rest());
        return Ok(changed("SET", Class::Session, "timezone", values, local));
    }
    let schema = reader.keyword() == Some("schema") && !reader.rest().get(1).is_some_and(is_assignment);
    let setting = if schema {
        reader.skip();
        "search_path".to_owned()
    } else {
        let name = fold(&reader.name()?.join("."));
        if !reader.op("=") && !reader.eat(&["to"]) {
            return Err(reader.refuse("SET without `=` or TO"));
        }
        name
    };
    Ok(changed("SET", class_of(&setting), &setting, values(reader)?, local))
}

fn is_assignment(token: &Token) -> bool {
    token.keyword() == Some("to") || token.kind == Kind::Op("=".to_owned())
}

/// A list of values up to the statement's end; DEFAULT is none.
fn values(reader: &mut Reader<'_>) -> Result<Vec<String>, NotUnderstood> {
    if reader.eat(&["default"]) {
        reader.end()?;
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    loop {
        let sign = if reader.op("-") { "-" } else { "" };
        let value = match reader.peek().map(|token| &token.kind) {
            Some(Kind::Word { value, .. }) => value.clone(),
            Some(Kind::Number(digits)) => digits.clone(),
            Some(Kind::Text { .. }) => {
                values.push(reader.literal()?);
                if reader.mark(',') {
                    continue;
                }
                break;
            }
            _ => return Err(reader.refuse("a value that is not understood")),
        };
        reader.skip();
        values.push(format!("{sign}{value}"));
        if !reader.mark(',') {
            break;
        }
    }
    reader.end()?;
    Ok(values)
}

fn words(tokens: &[Token]) -> Vec<String> {
    tokens
        .iter()
        .map(|token| match &token.kind {
            Kind::Word { value, .. } | Kind::Text { value, .. } => value.clone(),
            Kind::Number(text) | Kind::Param(text) | Kind::Op(text) => text.clone(),
            Kind::Mark(mark) => mark.to_string(),
        })
        .collect()
}

pub(super) fn reset(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let setting = if reader.eat(&["all"]) {
        "*".to_owned()
    } else if reader.eat(&["session", "authorization"]) {
        "session_authorization".to_owned()
    } else if reader.eat(&["time", "zone"]) {
        "timezone".to_owned()
    } else if reader.eat(&["use"]) {
        "database".to_owned()
    } else {
        fold(&reader.name()?.join("."))
    };
    reader.end()?;
    if setting == "*" && context.scope.used_database().is_some() {
        return Err(reader.refuse("RESET ALL where USE is in force: say RESET USE first"));
    }
    Ok(changed("RESET", class_of(&setting), &setting, Vec::new(), false))
}

pub(super) fn show(reader: &mut Reader<'_>) -> Read {
    if reader.rest().iter().any(|token| token.is_mark('(')) && reader.keyword() != Some("grants") {
        // SHOW PROCEDURE and the like take argument types, never expressions.
        let kind = reader.eat_any(&["procedure", "function", "policies", "columns"]);
        if kind.is_none() {
            return Err(reader.refuse("a SHOW that is not understood"));
        }
    }
    Ok(Facts::plain(Class::Read, "SHOW"))
}

/// From here on names without a database mean another one's.
pub(super) fn use_database(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let database = reader.word()?;
    reader.end()?;
    let own = fold(&database) == context.scope.database();
    let values = if own { Vec::new() } else { vec![fold(&database)] };
    let mut facts = changed("USE", Class::Session, "database", values, false);
    if context.scope.in_block() {
        doubt(&mut facts, "USE in a transaction may be undone with it");
    }
    if is_cased(&database) {
        doubt(&mut facts, "a database that is another one where quoted capitals are kept");
    }
    Ok(facts)
}

pub(super) fn discard(reader: &mut Reader<'_>) -> Read {
    let what = reader.eat_any(&["all", "plans", "sequences", "temp", "temporary"]);
    reader.end()?;
    let mut facts = Facts::plain(Class::Session, "DISCARD");
    match what {
        Some("all") => {
            facts = changed("DISCARD ALL", Class::Session, "*", Vec::new(), false);
            facts.prepared = Some(PreparedStep::DeallocateAll);
            facts.cursor = Some(CursorStep::CloseAll);
            facts.drops_all_temp = true;
        }
        Some("temp" | "temporary") => facts.drops_all_temp = true,
        Some(_) => {}
        None => return Err(reader.refuse("a DISCARD that is not understood")),
    }
    Ok(facts)
}

pub(super) fn transaction(word: &str, reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut command = word.to_ascii_uppercase();
    let step = match word {
        "begin" | "start" => {
            if word == "start" && !reader.eat(&["transaction"]) {
                return Err(reader.refuse("START without TRANSACTION"));
            }
            reader.eat_any(&["work", "transaction"]);
            "BEGIN".clone_into(&mut command);
            let mut facts = Facts::plain(Class::Transaction, command);
            modes(reader, &mut facts)?;
            facts.transaction = Some(TransactionStep::Begin);
            return Ok(facts);
        }
        "savepoint" => TransactionStep::Savepoint(reader.word()?),
        "release" => {
            reader.eat(&["savepoint"]);
            TransactionStep::Release(reader.word()?)
        }
        "commit" | "end" => {
            if reader.eat(&["prepared"]) {
                return Err(reader.refuse("a two-phase commit"));
            }
            "COMMIT".clone_into(&mut command);
            TransactionStep::Commit { chain: chained(reader) }
        }
        _ => {
            "ROLLBACK".clone_into(&mut command);
            if reader.eat(&["prepared"]) {
                return Err(reader.refuse("a two-phase commit"));
            }
            reader.eat_any(&["work", "transaction"]);
            if word == "rollback" && reader.eat(&["to"]) {
                reader.eat(&["savepoint"]);
                TransactionStep::RollbackTo(reader.word()?)
            } else {
                TransactionStep::Rollback { chain: chained(reader) }
            }
        }
    };
    reader.end()?;
    let mut facts = Facts::plain(Class::Transaction, command);
    if let TransactionStep::Savepoint(name)
    | TransactionStep::Release(name)
    | TransactionStep::RollbackTo(name) = &step
    {
        doubt_own(name, context.scope, &mut facts);
    }
    facts.transaction = Some(step);
    Ok(facts)
}

fn chained(reader: &mut Reader<'_>) -> bool {
    reader.eat_any(&["work", "transaction"]);
    reader.eat(&["and", "chain"]) || {
        reader.eat(&["and", "no", "chain"]);
        false
    }
}

fn modes(reader: &mut Reader<'_>, facts: &mut Facts) -> Result<(), NotUnderstood> {
    let known: &[&[&str]] = &[
        &["isolation", "level", "serializable"],
        &["isolation", "level", "snapshot"],
        &["isolation", "level", "repeatable", "read"],
        &["isolation", "level", "read", "committed"],
        &["isolation", "level", "read", "uncommitted"],
        &["read", "only"],
        &["deferrable"],
        &["not", "deferrable"],
    ];
    while reader.peek().is_some() {
        if reader.eat(&["read", "write"]) {
            let values = vec!["read".to_owned(), "write".to_owned()];
            facts.session.push(SessionChange { setting: "transaction".to_owned(), values, local: true });
        } else if !known.iter().any(|mode| reader.eat(mode)) {
            return Err(reader.refuse("a transaction mode that is not understood"));
        }
        reader.mark(',');
    }
    Ok(())
}

pub(super) fn notification(word: &str, reader: &mut Reader<'_>) -> Read {
    let channel = if reader.op("*") { "*".to_owned() } else { reader.word()? };
    if word == "notify" && reader.mark(',') {
        reader.literal()?;
    }
    reader.end()?;
    Ok(changed(&word.to_ascii_uppercase(), Class::Session, word, vec![channel], false))
}

/// CANCEL of Redshift ends another's statement, as `pg_cancel_backend` does.
pub(super) fn cancel(reader: &mut Reader<'_>) -> Read {
    let process = match reader.peek().map(|token| &token.kind) {
        Some(Kind::Number(digits)) => digits.parse().ok(),
        _ => None,
    };
    let Some(process) = process else { return Err(reader.refuse("CANCEL without a process id")) };
    reader.skip();
    if reader.peek().is_some() {
        reader.literal()?;
    }
    reader.end()?;
    let mut facts = Facts::plain(Class::Maintenance, "CANCEL");
    facts.signals.insert(process);
    Ok(facts)
}
