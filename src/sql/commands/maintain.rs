//! Upkeep: VACUUM, ANALYZE, CLUSTER, REINDEX, and what touches the server itself.

use super::Read;
use super::create::whole_schema;
use super::reader::Reader;
use crate::sql::lex::Kind;
use crate::sql::names::{doubt, targets};
use crate::sql::understand::Context;
use crate::sql::{Class, Facts};

pub(super) fn vacuum(word: &str, reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let command = if word == "vacuum" { "VACUUM" } else { "ANALYZE" };
    let mut facts = Facts::plain(Class::Maintenance, command);
    let _ = reader.brackets();
    let kinds = [
        "full",
        "freeze",
        "verbose",
        "analyze",
        "analyse",
        "sort",
        "delete",
        "reindex",
        "recluster",
        "only",
        "compression",
    ];
    while reader.eat_any(&kinds).is_some() {}
    while matches!(reader.peek().map(|token| &token.kind), Some(Kind::Word { .. })) {
        if matches!(reader.keyword(), Some("to" | "boost" | "predicate" | "all" | "comprows")) {
            break;
        }
        let name = reader.name()?;
        let altered = targets(&name, context.scope, &mut facts);
        facts.alters.extend(altered);
        let _ = reader.brackets();
        if !reader.mark(',') {
            break;
        }
    }
    let words = ["to", "percent", "boost", "predicate", "all", "columns", "comprows"];
    while reader.eat_any(&words).is_some()
        || matches!(reader.peek().map(|token| &token.kind), Some(Kind::Number(_))) && {
            reader.skip();
            true
        }
    {}
    reader.end()?;
    Ok(facts)
}

pub(super) fn cluster(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Maintenance, "CLUSTER");
    let _ = reader.brackets();
    reader.eat(&["verbose"]);
    if reader.peek().is_some() {
        let name = reader.name()?;
        // The older form names the index first.
        let table = if reader.eat(&["on"]) { reader.name()? } else { name };
        facts.alters = targets(&table, context.scope, &mut facts);
        if reader.eat(&["using"]) {
            reader.word()?;
        }
    }
    reader.end()?;
    Ok(facts)
}

pub(super) fn reindex(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Maintenance, "REINDEX");
    let _ = reader.brackets();
    let kind = reader.word()?;
    reader.eat(&["concurrently"]);
    match kind.as_str() {
        "index" | "table" => {
            let name = reader.name()?;
            facts.alters = targets(&name, context.scope, &mut facts);
        }
        "schema" => {
            let name = reader.name()?;
            let schema = whole_schema(&name, &mut facts, context);
            facts.alters.insert(schema);
        }
        "database" | "system" => {
            facts.beyond = Some("database".to_owned());
            return Ok(facts);
        }
        _ => return Err(reader.refuse("a REINDEX that is not understood")),
    }
    reader.end()?;
    Ok(facts)
}

/// CHECKPOINT and LOAD.
pub(super) fn server(word: &str) -> Read {
    let class = if word == "load" { Class::Call } else { Class::Maintenance };
    let mut facts = Facts::plain(class, word.to_ascii_uppercase());
    facts.beyond = Some("server".to_owned());
    if word == "load" {
        doubt(&mut facts, "a library's code is not seen");
    }
    Ok(facts)
}
