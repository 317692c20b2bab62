//! CREATE, but for tables, views and indexes.

use std::collections::BTreeSet;

use super::Read;
use super::kinds::{Home, Kind};
use super::prepared::expressions;
use super::reader::Reader;
use super::tables::{self, behind, definition};
use crate::sql::check::add_calls;
use crate::sql::letters::fold;
use crate::sql::lex::{Kind as Shape, Token};
use crate::sql::names::{created, doubt, doubt_target, targets};
use crate::sql::understand::Context;
use crate::sql::{Class, Egress, Facts, NotUnderstood, Relation};

pub(super) fn create(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    reader.eat(&["or", "replace"]);
    reader.eat_any(&["local", "global"]);
    let temporary = reader.eat_any(&["temp", "temporary"]).is_some();
    reader.eat_any(&["unlogged", "recursive", "trusted"]);
    let external = reader.eat(&["external"]);
    reader.eat_any(&["constraint", "unique"]);
    if reader.keyword() == Some("default")
        && reader.rest().get(1).and_then(Token::keyword) == Some("conversion")
    {
        reader.skip();
    }
    let mut facts = if reader.eat(&["schema"]) {
        schema(reader, context)?
    } else {
        let kind = Kind::read(reader)?;
        made(kind, reader, temporary, context)?
    };
    if external {
        facts.class = facts.class.max(Class::Egress);
        facts.command = facts.command.replace("CREATE ", "CREATE EXTERNAL ");
        facts.egress.push(Egress { place: place_of(reader.rest()), role: None });
    }
    Ok(facts)
}

fn made(kind: &Kind, reader: &mut Reader<'_>, temporary: bool, context: &Context<'_>) -> Read {
    match kind.name().as_str() {
        "table" => return tables::table(reader, temporary, context),
        "view" => return tables::view(reader, temporary, false, context),
        "materialized view" => return tables::view(reader, temporary, true, context),
        "index" => return tables::index(reader, context),
        "statistics" => return statistics(reader, context),
        "foreign table" => return foreign_table(reader, context),
        "model" => return model(reader, context),
        _ => {}
    }
    let mut facts = whole("CREATE", kind);
    if kind.opaque {
        doubt(&mut facts, format!("the body of a {} is not seen", kind.name()));
    }
    match kind.home {
        Home::Schema | Home::Routine | Home::Operator => {
            reader.if_exists();
            let name = reader.operator()?;
            facts.creates = created(&name, temporary, context.scope, &mut facts);
            if !kind.is_relation() {
                // It shadows no table.
                facts.creates.retain(|made| !made.is_temp());
            }
            if kind.is("type") && !is_plain_type(reader.rest()) {
                doubt(&mut facts, "a type made of functions");
            }
            if kind.home == Home::Schema {
                definition(reader.rest(), &mut facts, context);
            }
        }
        Home::Relation => {
            let rest = reader.rest();
            for table in behind(&["on"], rest).into_iter().chain(behind(&["to"], rest)) {
                let altered = targets(&table, context.scope, &mut facts);
                facts.alters.extend(altered);
            }
            if kind.is("policy") {
                conditions(rest, &mut facts, context)?;
            }
        }
        Home::Beyond | Home::Outside | Home::Principals => {
            if kind.is("user") && reader.keyword() == Some("mapping") {
                facts.egress.push(Egress { place: "external".to_owned(), role: None });
            }
            // A database made of a datashare, an integration or a lake.
            if kind.is("database") && reader.rest().iter().any(|token| token.keyword() == Some("from")) {
                facts.class = Class::Egress;
                facts.egress.push(Egress { place: "external".to_owned(), role: None });
            }
        }
    }
    Ok(facts)
}

/// What the conditions of a policy read and call: USING (…) and WITH CHECK (…).
pub(super) fn conditions(
    tokens: &[Token],
    facts: &mut Facts,
    context: &Context<'_>,
) -> Result<(), NotUnderstood> {
    for (at, token) in tokens.iter().enumerate() {
        if !matches!(token.keyword(), Some("using" | "check")) {
            continue;
        }
        let mut reader = Reader::new(tokens.get(at + 1..).unwrap_or_default());
        if let Some(condition) = reader.brackets() {
            let said = expressions(condition, context)?;
            facts.reads.extend(said.reads);
            facts.functions.extend(said.functions);
            facts.doubts.extend(said.doubts);
        }
    }
    Ok(())
}

/// CREATE MODEL sends its rows to be learned from, and makes a function.
fn model(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Egress, "CREATE MODEL");
    let name = reader.name()?;
    facts.creates = created(&name, false, context.scope, &mut facts);
    facts.egress.push(Egress { place: place_of(reader.rest()), role: None });
    for function in behind(&["function"], reader.rest()) {
        let made = created(&function, false, context.scope, &mut facts);
        facts.creates.extend(made);
    }
    doubt(&mut facts, "the body of a model is not seen");
    Ok(facts)
}

/// The facts that every change of such an object has, whatever it is called.
pub(super) fn whole(verb: &str, kind: &Kind) -> Facts {
    let name = kind.name();
    let mut facts = Facts::plain(Class::Ddl, format!("{verb} {}", name.to_ascii_uppercase()));
    match kind.home {
        Home::Schema | Home::Routine | Home::Operator => {}
        Home::Relation if kind.is("policy") => facts.class = Class::Dcl,
        Home::Relation => {}
        Home::Beyond => facts.beyond = Some(name),
        Home::Outside => {
            facts.class = Class::Egress;
            facts.egress.push(Egress { place: "external".to_owned(), role: None });
            facts.beyond = Some(name);
        }
        Home::Principals => {
            facts.class = Class::Dcl;
            if kind.is("datashare") {
                facts.egress.push(Egress { place: name, role: None });
            }
        }
    }
    facts
}

/// Composite types and enumerations run nothing.
fn is_plain_type(tokens: &[Token]) -> bool {
    let words: Vec<_> = tokens.iter().take(2).map(Token::keyword).collect();
    match (words.as_slice(), tokens.get(1)) {
        ([Some("as"), Some("enum")], _) => true,
        ([Some("as"), _], Some(next)) => next.is_mark('('),
        _ => false,
    }
}

fn statistics(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "CREATE STATISTICS");
    reader.if_exists();
    if reader.keyword() != Some("on") {
        let name = reader.name()?;
        facts.creates = created(&name, false, context.scope, &mut facts);
        facts.creates.retain(|made| !made.is_temp());
    }
    let rest = reader.rest();
    let from = rest.iter().rposition(|token| token.keyword() == Some("from"));
    let Some(at) = from else { return Err(reader.refuse("CREATE STATISTICS without FROM")) };
    let table = Reader::new(rest.get(at + 1..).unwrap_or_default()).name()?;
    facts.alters = targets(&table, context.scope, &mut facts);
    let kinds = ["ndistinct", "dependencies", "mcv"].map(str::to_owned);
    add_calls(rest, &BTreeSet::from(kinds), &mut facts);
    Ok(facts)
}

fn foreign_table(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Egress, "CREATE FOREIGN TABLE");
    reader.if_exists();
    let name = reader.name()?;
    facts.creates = created(&name, false, context.scope, &mut facts);
    facts.egress.push(Egress { place: place_of(reader.rest()), role: None });
    definition(reader.rest(), &mut facts, context);
    Ok(facts)
}

fn schema(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "CREATE SCHEMA");
    reader.if_exists();
    reader.eat(&["authorization"]);
    let name = reader.name()?;
    let made = whole_schema(&name, &mut facts, context);
    facts.creates.insert(made);
    if reader.rest().iter().any(|token| matches!(token.keyword(), Some("create" | "grant"))) {
        doubt(&mut facts, "a schema with its elements");
    }
    Ok(facts)
}

pub(super) fn whole_schema(name: &[String], facts: &mut Facts, context: &Context<'_>) -> Relation {
    doubt_target(&[name, &[String::new()]].concat(), facts);
    if name.last().is_some_and(|schema| fold(schema).starts_with("pg_")) {
        doubt(facts, "a change of a schema of the server's own");
    }
    let mut relation = Relation::new(name.last().map(|schema| fold(schema)).unwrap_or_default(), "*");
    relation.database = match name {
        [database, _, ..] => Some(fold(database)),
        _ => context.scope.used_database().map(str::to_owned),
    };
    relation
}

pub(super) fn place_of(tokens: &[Token]) -> String {
    let literal = |token: &Token| match &token.kind {
        Shape::Text { value, .. } if value.contains("://") => Some(value.clone()),
        _ => None,
    };
    tokens.iter().find_map(literal).unwrap_or_else(|| "external".to_owned())
}
