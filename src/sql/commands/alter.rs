//! ALTER.

use super::Read;
use super::objects::{
    BODY_KINDS, PRIVILEGE_KINDS, altered, definition, place_of, privilege_change, whole_database,
    whole_schema,
};
use super::reader::Reader;
use crate::sql::lex::{Token, fold};
use crate::sql::names::{doubt, doubt_target};
use crate::sql::understand::Context;
use crate::sql::walk::targets;
use crate::sql::{Class, Egress, Facts, Relation, TransactionStep};

pub(super) fn alter(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let owned = changes_owner(reader.rest());
    let external = reader.eat(&["external"]);
    let materialized = reader.eat(&["materialized"]);
    reader.eat(&["foreign"]);
    let kind = reader.word()?;
    let command =
        format!("ALTER {}{}", if materialized { "MATERIALIZED " } else { "" }, kind.to_ascii_uppercase());
    let mut facts = match kind.as_str() {
        "table" | "view" | "index" | "sequence" | "type" | "domain" => relation(reader, command, context)?,
        "schema" => {
            let mut facts = Facts::plain(Class::Ddl, command);
            let name = reader.name()?;
            let schema = whole_schema(&name, &mut facts);
            facts.alters.insert(schema);
            if reader.eat(&["rename", "to"]) {
                let name = reader.name()?;
                let schema = whole_schema(&name, &mut facts);
                facts.alters.insert(schema);
            }
            facts
        }
        kind if PRIVILEGE_KINDS.contains(&kind) => privilege_change("ALTER", kind),
        kind if BODY_KINDS.contains(&kind) => {
            let mut facts = Facts::plain(Class::Ddl, command);
            let name = reader.name()?;
            facts.alters = altered(&name, &mut facts, context);
            doubt(&mut facts, format!("the body of a {kind} is not seen"));
            facts
        }
        "database" => whole_database("ALTER DATABASE"),
        "system" => whole_database("ALTER SYSTEM"),
        _ => return Err(reader.refuse("an ALTER that is not understood")),
    };
    // An owner's rights are what a view reads with.
    if owned {
        facts.class = facts.class.max(Class::Dcl);
    }
    if external {
        facts.class = facts.class.max(Class::Egress);
        facts.egress.push(Egress { place: place_of(reader.rest()), role: None });
    }
    Ok(facts)
}

/// `OWNER TO`, where `owner` is not a column's name that is changed.
fn changes_owner(tokens: &[Token]) -> bool {
    let words: Vec<_> = tokens.iter().map(Token::keyword).collect();
    words.windows(3).any(|words| match words {
        [before, Some("owner"), Some("to")] => !matches!(before, Some("rename" | "column")),
        _ => false,
    })
}

fn relation(reader: &mut Reader<'_>, command: String, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, command);
    reader.if_exists();
    reader.eat(&["only"]);
    if reader.eat(&["all", "in"]) {
        return Err(reader.refuse("an ALTER of a whole tablespace"));
    }
    let name = reader.name()?;
    reader.op("*");
    facts.alters = altered(&name, &mut facts, context);
    if reader.eat(&["append", "from"]) {
        let source = reader.name()?;
        facts.writes = std::mem::take(&mut facts.alters);
        let emptied = targets(&source, context.scope, &mut facts);
        facts.writes.extend(emptied);
        facts.class = Class::Write;
        "ALTER TABLE APPEND".clone_into(&mut facts.command);
        facts.transaction = Some(TransactionStep::ImplicitCommit);
        return Ok(facts);
    }
    let through = |relation: &Relation| relation.is_temp() && context.scope.is_temp_view(&relation.name);
    if facts.alters.iter().any(through) {
        doubt(&mut facts, "a change of a temporary view");
    }
    if reader.eat(&["rename", "to"]) {
        let new = reader.word()?;
        reader.end()?;
        for relation in facts.alters.clone() {
            let renamed = Relation { name: fold(&new), ..relation.clone() };
            if relation.is_temp() {
                facts.drops_temp.extend(name.last().cloned());
                facts.temp_spellings.insert(fold(&new), new.clone());
                facts.creates.insert(renamed.clone());
            }
            facts.alters.insert(renamed);
        }
        return Ok(facts);
    }
    if reader.eat(&["set", "schema"]) {
        let schema = reader.word()?;
        reader.end()?;
        doubt_target(&[schema.clone(), String::new()], &mut facts);
        for relation in facts.alters.clone() {
            facts.alters.insert(Relation { schema: fold(&schema), ..relation });
        }
        return Ok(facts);
    }
    let rest = reader.rest();
    let guarded = rest
        .windows(3)
        .any(|three| three.iter().map(Token::keyword).eq([Some("row"), Some("level"), Some("security")]));
    if guarded {
        facts.class = Class::Dcl;
    }
    if rest.windows(2).any(|two| two.iter().map(Token::keyword).eq([Some("set"), Some("location")])) {
        facts.egress.push(Egress { place: place_of(rest), role: None });
        facts.class = facts.class.max(Class::Egress);
    }
    definition(rest, &mut facts, context);
    Ok(facts)
}
