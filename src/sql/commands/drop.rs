//! DROP, COMMENT, and privileges.

use std::collections::BTreeSet;

use super::Read;
use super::create::{whole, whole_schema};
use super::kinds::{Home, Kind};
use super::reader::Reader;
use super::tables::cascades;
use crate::sql::lex::Kind as Shape;
use crate::sql::names::{doubt, doubt_target, resolve_new, resolve_target};
use crate::sql::understand::Context;
use crate::sql::{Class, Egress, Facts, Relation};

/// What an object of this kind and name can be; relations alone are looked for among the temporary ones.
pub(super) fn altered(
    kind: &Kind,
    name: &[String],
    facts: &mut Facts,
    context: &Context<'_>,
) -> BTreeSet<Relation> {
    doubt_target(name, facts);
    if kind.is_relation() { resolve_target(name, context.scope) } else { resolve_new(name, context.scope) }
}

pub(super) fn altered_table(name: &[String], facts: &mut Facts, context: &Context<'_>) -> BTreeSet<Relation> {
    doubt_target(name, facts);
    resolve_target(name, context.scope)
}

pub(super) fn drop(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let external = reader.eat(&["external"]);
    if reader.eat(&["schema"]) {
        return schemas(reader, context);
    }
    let kind = Kind::read(reader)?;
    let mut facts = whole("DROP", kind);
    facts.cascades = cascades(reader.rest());
    if external {
        facts.class = facts.class.max(Class::Egress);
        facts.egress.push(Egress { place: "external".to_owned(), role: None });
    }
    match kind.home {
        Home::Beyond | Home::Outside | Home::Principals => return Ok(facts),
        Home::Relation => on_relation(reader, &mut facts, context)?,
        Home::Schema | Home::Routine | Home::Operator => {
            reader.eat(&["concurrently"]);
            reader.if_exists();
            loop {
                named(kind, reader, &mut facts, context)?;
                if !reader.mark(',') {
                    break;
                }
            }
        }
    }
    reader.eat_any(&["cascade", "restrict", "force"]);
    reader.end()?;
    Ok(facts)
}

fn named(
    kind: &Kind,
    reader: &mut Reader<'_>,
    facts: &mut Facts,
    context: &Context<'_>,
) -> Result<(), crate::sql::NotUnderstood> {
    let name = reader.operator()?;
    let dropped = altered(kind, &name, facts, context);
    if kind.is_relation() && dropped.iter().any(Relation::is_temp) {
        facts.drops_temp.extend(name.last().cloned());
    }
    facts.alters.extend(dropped);
    match kind.home {
        Home::Routine => {
            let _ = reader.brackets();
        }
        Home::Operator => {
            let _ = reader.brackets();
            if reader.eat(&["using"]) {
                reader.word()?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `NAME ON table`.
fn on_relation(
    reader: &mut Reader<'_>,
    facts: &mut Facts,
    context: &Context<'_>,
) -> Result<(), crate::sql::NotUnderstood> {
    reader.if_exists();
    reader.name()?;
    if !reader.eat(&["on"]) {
        return Err(reader.refuse("a name without ON"));
    }
    // A table may be called `domain`.
    let next = reader.rest().get(1);
    let named =
        next.is_some_and(|next| matches!(next.kind, Shape::Word { .. }) && next.keyword() != Some("is"));
    let of_domain = named && reader.eat(&["domain"]);
    let name = reader.name()?;
    let held = altered_table(&name, facts, context);
    facts.alters.extend(held);
    if of_domain {
        facts.alters.extend(resolve_new(&name, context.scope));
    }
    Ok(())
}

fn schemas(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "DROP SCHEMA");
    facts.cascades = cascades(reader.rest());
    reader.if_exists();
    for name in reader.names()? {
        let schema = whole_schema(&name, &mut facts, context);
        facts.alters.insert(schema);
    }
    if reader.eat(&["drop", "external", "database"]) || reader.eat(&["drop", "external", "schema"]) {
        facts.beyond = Some("external database".to_owned());
    }
    reader.eat_any(&["cascade", "restrict"]);
    reader.end()?;
    Ok(facts)
}

pub(super) fn comment(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "COMMENT");
    if !reader.eat(&["on"]) {
        return Err(reader.refuse("COMMENT without ON"));
    }
    if reader.eat(&["column"]) {
        let mut name = reader.name()?;
        name.pop();
        facts.alters = altered_table(&name, &mut facts, context);
        return Ok(facts);
    }
    if reader.eat(&["schema"]) {
        let name = reader.name()?;
        let schema = whole_schema(&name, &mut facts, context);
        facts.alters.insert(schema);
        return Ok(facts);
    }
    if reader.eat(&["constraint"]) {
        on_relation(reader, &mut facts, context)?;
        return Ok(facts);
    }
    let kind = Kind::read(reader)?;
    match kind.home {
        Home::Schema | Home::Routine | Home::Operator => {
            let name = reader.operator()?;
            facts.alters = altered(kind, &name, &mut facts, context);
        }
        Home::Relation => on_relation(reader, &mut facts, context)?,
        Home::Beyond | Home::Outside | Home::Principals => facts.beyond = Some(kind.name()),
    }
    Ok(facts)
}

pub(super) fn privileges(word: &str) -> Facts {
    Facts::plain(Class::Dcl, word.to_ascii_uppercase())
}

/// GRANT and REVOKE; a datashare's grants let others read it.
pub(super) fn granted(word: &str, reader: &Reader<'_>) -> Facts {
    let mut facts = privileges(word);
    if reader.rest().iter().any(|token| token.keyword() == Some("datashare")) {
        facts.egress.push(Egress { place: "datashare".to_owned(), role: None });
    }
    facts
}

pub(super) fn reassign(reader: &Reader<'_>) -> Read {
    if reader.keyword() != Some("owned") {
        return Err(reader.refuse("a statement that is not understood"));
    }
    Ok(privileges("REASSIGN OWNED"))
}

/// SECURITY LABEL names what it labels as COMMENT does.
pub(super) fn security_label(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    if !reader.eat(&["label"]) {
        return Err(reader.refuse("a statement that is not understood"));
    }
    if reader.eat(&["for"]) {
        reader.skip();
    }
    let mut facts = comment(reader, context)?;
    "SECURITY LABEL".clone_into(&mut facts.command);
    facts.class = Class::Dcl;
    Ok(facts)
}

pub(super) fn import(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    if !reader.eat(&["foreign", "schema"]) {
        return Err(reader.refuse("a statement that is not understood"));
    }
    let mut facts = Facts::plain(Class::Egress, "IMPORT FOREIGN SCHEMA");
    facts.egress.push(Egress { place: "external".to_owned(), role: None });
    let rest = reader.rest();
    let into = rest.iter().rposition(|token| token.keyword() == Some("into"));
    let Some(at) = into else { return Err(reader.refuse("IMPORT without INTO")) };
    let name = Reader::new(rest.get(at + 1..).unwrap_or_default()).name()?;
    let schema = whole_schema(&name, &mut facts, context);
    facts.creates.insert(schema);
    doubt(&mut facts, "tables whose names are not told");
    Ok(facts)
}

/// ATTACH and DETACH of row-level and masking policies.
pub(super) fn attach(word: &str, reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    if !reader.eat(&["rls", "policy"]) && !reader.eat(&["masking", "policy"]) {
        return Err(reader.refuse("a policy that is not understood"));
    }
    let mut facts = privileges(word);
    reader.name()?;
    if reader.eat(&["on"]) {
        reader.eat(&["table"]);
        let name = reader.name()?;
        facts.alters = altered_table(&name, &mut facts, context);
    }
    Ok(facts)
}

pub(super) fn describe(reader: &mut Reader<'_>) -> Read {
    if !reader.eat(&["datashare"]) || reader.rest().iter().any(|token| token.is_mark('(')) {
        return Err(reader.refuse("a statement that is not understood"));
    }
    Ok(Facts::plain(Class::Read, "DESC DATASHARE"))
}
