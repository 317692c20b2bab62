//! CREATE, DROP, COMMENT and privileges.

use std::collections::BTreeSet;

use super::Read;
use super::reader::Reader;
use crate::sql::check::add_missed_calls;
use crate::sql::lex::{Kind, Token, fold};
use crate::sql::names::{doubt, doubt_name, doubt_target, resolve, resolve_target};
use crate::sql::understand::{Context, facts_of};
use crate::sql::walk::{created, targets};
use crate::sql::{Class, Egress, Facts, NotUnderstood, Relation};

pub(super) const PRIVILEGE_KINDS: &[&str] =
    &["user", "group", "role", "identity", "rls", "masking", "policy", "datashare", "default", "owned"];
pub(super) const BODY_KINDS: &[&str] =
    &["function", "procedure", "trigger", "rule", "library", "model", "aggregate"];
const NAMED_KINDS: &[&str] = &["sequence", "type", "domain"];

pub(super) fn privileges(word: &str) -> Facts {
    Facts::plain(Class::Dcl, word.to_ascii_uppercase())
}

/// ATTACH and DETACH of row-level and masking policies.
pub(super) fn attach(word: &str, reader: &mut Reader<'_>) -> Read {
    if !reader.eat(&["rls", "policy"]) && !reader.eat(&["masking", "policy"]) {
        return Err(reader.refuse("a policy that is not understood"));
    }
    Ok(privileges(word))
}

pub(super) fn describe(reader: &mut Reader<'_>) -> Read {
    if !reader.eat(&["datashare"]) || reader.rest().iter().any(|token| token.is_mark('(')) {
        return Err(reader.refuse("a statement that is not understood"));
    }
    Ok(Facts::plain(Class::Read, "DESC DATASHARE"))
}

pub(super) fn privilege_change(verb: &str, kind: &str) -> Facts {
    let mut facts = Facts::plain(Class::Dcl, format!("{verb} {}", kind.to_ascii_uppercase()));
    if kind == "datashare" {
        facts.egress.push(Egress { place: "datashare".to_owned(), role: None });
    }
    facts
}

pub(super) fn whole_schema(name: &[String], facts: &mut Facts) -> Relation {
    doubt_target(&[name, &[String::new()]].concat(), facts);
    if name.last().is_some_and(|schema| fold(schema).starts_with("pg_")) {
        doubt(facts, "a change of a schema of the server's own");
    }
    let mut relation = Relation::new(name.last().map(|schema| fold(schema)).unwrap_or_default(), "*");
    if name.len() > 1 {
        relation.database = name.first().map(|database| fold(database));
    }
    relation
}

pub(super) fn create(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat(&["or", "replace"]);
    reader.eat_any(&["local", "global"]);
    let temporary = reader.eat_any(&["temp", "temporary"]).is_some();
    reader.eat_any(&["unlogged", "recursive"]);
    let external = reader.eat(&["external"]);
    let constraint = reader.eat(&["constraint"]);
    let unique = reader.eat(&["unique"]);
    let materialized = reader.eat(&["materialized"]);
    let kind = reader.word()?;
    let mut facts = match kind.as_str() {
        "table" => table(reader, temporary, context)?,
        "view" => view(reader, temporary, materialized, context)?,
        "schema" => schema(reader)?,
        "index" => index(reader, context)?,
        kind if PRIVILEGE_KINDS.contains(&kind) => privilege_change("CREATE", kind),
        kind if BODY_KINDS.contains(&kind) => body(reader, kind, context)?,
        kind if NAMED_KINDS.contains(&kind) => {
            let mut facts = Facts::plain(Class::Ddl, format!("CREATE {}", kind.to_ascii_uppercase()));
            reader.if_exists();
            let name = reader.name()?;
            facts.creates = created(&name, temporary, context.scope, &mut facts);
            add_missed_calls(reader.rest(), &BTreeSet::new(), &mut facts);
            facts
        }
        "database" => whole_database("CREATE DATABASE"),
        _ => return Err(reader.refuse("a CREATE that is not understood")),
    };
    let _ = (constraint, unique);
    if external {
        facts.class = facts.class.max(Class::Egress);
        facts.command = facts.command.replace("CREATE ", "CREATE EXTERNAL ");
        facts.egress.push(Egress { place: place_of(reader.rest()), role: None });
    }
    Ok(facts)
}

pub(super) fn place_of(tokens: &[Token]) -> String {
    let literal = |token: &Token| match &token.kind {
        Kind::Text { value, .. } if value.contains("://") => Some(value.clone()),
        _ => None,
    };
    tokens.iter().find_map(literal).unwrap_or_else(|| "external".to_owned())
}

pub(super) fn whole_database(command: &str) -> Facts {
    let mut facts = Facts::plain(Class::Ddl, command);
    doubt(&mut facts, "a change of a whole database");
    facts
}

fn body(reader: &mut Reader<'_>, kind: &str, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, format!("CREATE {}", kind.to_ascii_uppercase()));
    reader.if_exists();
    let name = reader.name()?;
    facts.creates = created(&name, false, context.scope, &mut facts);
    if matches!(kind, "trigger" | "rule") {
        let rest = reader.rest();
        if let Some(at) = rest.iter().position(|token| matches!(token.keyword(), Some("on" | "to"))) {
            let mut on = Reader::new(rest.get(at + 1..).unwrap_or_default());
            if let Ok(table) = on.name() {
                facts.alters = targets(&table, context.scope, &mut facts);
            }
        }
    }
    doubt(&mut facts, format!("the body of a {kind} is not seen"));
    Ok(facts)
}

fn schema(reader: &mut Reader<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "CREATE SCHEMA");
    reader.if_exists();
    reader.eat(&["authorization"]);
    let name = reader.name()?;
    let made = whole_schema(&name, &mut facts);
    facts.creates.insert(made);
    if reader.rest().iter().any(|token| matches!(token.keyword(), Some("table" | "view" | "grant" | "index")))
    {
        return Err(reader.refuse("a schema with its elements"));
    }
    Ok(facts)
}

fn index(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
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
    add_missed_calls(reader.rest(), &method_names(), &mut facts);
    Ok(facts)
}

fn method_names() -> BTreeSet<String> {
    ["btree", "hash", "gist", "gin", "brin", "spgist"].map(str::to_owned).into()
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
        || matches!(first.and_then(Token::keyword), Some("select" | "with" | "values" | "execute"));
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
fn behind(word: &str, tokens: &[Token]) -> Vec<Vec<String>> {
    let at =
        tokens.iter().enumerate().filter(|(_, token)| token.keyword() == Some(word)).map(|(at, _)| at + 1);
    at.filter_map(|at| {
        let mut reader = Reader::new(tokens.get(at..).unwrap_or_default());
        let bracketed = reader.mark('(');
        let names = if bracketed { reader.names() } else { reader.name().map(|name| vec![name]) };
        names.ok()
    })
    .flatten()
    .collect()
}

pub(super) fn definition(tokens: &[Token], facts: &mut Facts, context: &Context<'_>) {
    let constraints = behind("constraint", tokens).into_iter().flatten();
    let mut listed: BTreeSet<String> = constraints.map(|name| fold(&name)).collect();
    // A foreign key holds its table's rows in place for everyone.
    for name in behind("references", tokens) {
        facts.locks.extend(resolve(&name, context.scope));
    }
    for name in behind("references", tokens).into_iter().chain(behind("like", tokens)) {
        doubt_name(&name, facts);
        listed.extend(name.last().map(|name| fold(name)));
        facts.reads.extend(resolve(&name, context.scope));
    }
    let parents =
        behind("inherits", tokens).into_iter().chain(behind("inherit", tokens)).chain(behind("of", tokens));
    for name in parents.chain(behind("partition", tokens)) {
        if name.first().is_some_and(|first| matches!(first.as_str(), "of" | "by")) && name.len() == 1 {
            continue;
        }
        doubt_target(&name, facts);
        listed.extend(name.last().map(|name| fold(name)));
        facts.alters.extend(resolve_target(&name, context.scope));
    }
    add_missed_calls(tokens, &listed, facts);
}

fn table(reader: &mut Reader<'_>, temporary: bool, context: &Context<'_>) -> Read {
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
        && head.first().and_then(Token::keyword) != Some("partition")
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

fn view(reader: &mut Reader<'_>, temporary: bool, materialized: bool, context: &Context<'_>) -> Read {
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

pub(super) fn altered(name: &[String], facts: &mut Facts, context: &Context<'_>) -> BTreeSet<Relation> {
    doubt_target(name, facts);
    resolve_target(name, context.scope)
}

pub(super) fn drop(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat_any(&["external", "foreign"]);
    let materialized = reader.eat(&["materialized"]);
    let kind = reader.word()?;
    let command =
        format!("DROP {}{}", if materialized { "MATERIALIZED " } else { "" }, kind.to_ascii_uppercase());
    let mut facts = Facts::plain(Class::Ddl, command);
    if PRIVILEGE_KINDS.contains(&kind.as_str()) {
        return Ok(privilege_change("DROP", &kind));
    }
    if kind == "index" {
        reader.eat(&["concurrently"]);
    }
    reader.if_exists();
    match kind.as_str() {
        "table" | "view" | "index" | "sequence" | "type" | "domain" | "model" | "library" => {
            for name in reader.names()? {
                let dropped = altered(&name, &mut facts, context);
                if dropped.iter().any(Relation::is_temp) {
                    facts.drops_temp.extend(name.last().cloned());
                }
                facts.alters.extend(dropped);
            }
        }
        "schema" => {
            for name in reader.names()? {
                let schema = whole_schema(&name, &mut facts);
                facts.alters.insert(schema);
            }
            let external = [&["drop", "external", "database"][..], &["drop", "external", "schema"]];
            let _ = external.iter().any(|words| reader.eat(words));
        }
        "function" | "procedure" | "aggregate" => loop {
            let name = reader.name()?;
            let dropped = altered(&name, &mut facts, context);
            facts.alters.extend(dropped);
            let _ = reader.brackets();
            if !reader.mark(',') {
                break;
            }
        },
        "trigger" | "rule" => {
            reader.name()?;
            if !reader.eat(&["on"]) {
                return Err(reader.refuse("DROP without ON"));
            }
            let name = reader.name()?;
            facts.alters = altered(&name, &mut facts, context);
        }
        "database" => doubt(&mut facts, "a change of a whole database"),
        _ => return Err(reader.refuse("a DROP that is not understood")),
    }
    reader.eat_any(&["cascade", "restrict", "force"]);
    if kind != "database" {
        reader.end()?;
    }
    Ok(facts)
}

pub(super) fn comment(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "COMMENT");
    if !reader.eat(&["on"]) {
        return Err(reader.refuse("COMMENT without ON"));
    }
    reader.eat(&["materialized"]);
    match reader.word()?.as_str() {
        "table" | "view" | "index" | "sequence" | "function" | "procedure" => {
            let name = reader.name()?;
            facts.alters = altered(&name, &mut facts, context);
        }
        "column" => {
            let mut name = reader.name()?;
            name.pop();
            facts.alters = altered(&name, &mut facts, context);
        }
        "constraint" => {
            reader.name()?;
            if !reader.eat(&["on"]) {
                return Err(reader.refuse("COMMENT without ON"));
            }
            let name = reader.name()?;
            facts.alters = altered(&name, &mut facts, context);
        }
        "schema" => {
            let name = reader.name()?;
            let schema = whole_schema(&name, &mut facts);
            facts.alters.insert(schema);
        }
        "database" => doubt(&mut facts, "a change of a whole database"),
        _ => return Err(reader.refuse("a COMMENT that is not understood")),
    }
    Ok(facts)
}
