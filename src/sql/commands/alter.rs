//! ALTER.

use super::Read;
use super::create::{conditions, place_of, whole, whole_schema};
use super::drop::{altered, altered_table};
use super::kinds::{Home, Kind};
use super::reader::Reader;
use super::tables::definition;
use crate::sql::letters::fold;
use crate::sql::lex::Token;
use crate::sql::names::{doubt, doubt_target, targets};
use crate::sql::temporary::TempKind;
use crate::sql::understand::Context;
use crate::sql::{Class, Egress, Facts, NotUnderstood, Relation, TransactionStep};

pub(super) fn alter(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let owned = changes_owner(reader.rest());
    let external = reader.eat(&["external"]);
    let mut facts = if reader.eat(&["schema"]) {
        schema(reader, context)?
    } else {
        let kind = Kind::read(reader)?;
        object(kind, reader, context)?
    };
    if facts.command == "ALTER FOREIGN TABLE" {
        facts.class = facts.class.max(Class::Egress);
        facts.egress.push(Egress { place: place_of(reader.rest()), role: None });
    }
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

fn schema(reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = Facts::plain(Class::Ddl, "ALTER SCHEMA");
    let name = reader.name()?;
    let schema = whole_schema(&name, &mut facts, context);
    facts.alters.insert(schema);
    if reader.eat(&["rename", "to"]) {
        let name = reader.name()?;
        let schema = whole_schema(&name, &mut facts, context);
        facts.alters.insert(schema);
    }
    Ok(facts)
}

fn object(kind: &Kind, reader: &mut Reader<'_>, context: &Context<'_>) -> Read {
    let mut facts = whole("ALTER", kind);
    if kind.opaque {
        doubt(&mut facts, format!("the body of a {} is not seen", kind.name()));
    }
    match kind.home {
        Home::Beyond | Home::Outside | Home::Principals => {}
        Home::Relation => {
            reader.if_exists();
            reader.name()?;
            if !reader.eat(&["on"]) {
                return Err(reader.refuse("ALTER without ON"));
            }
            let name = reader.name()?;
            facts.alters = altered_table(&name, &mut facts, context);
            conditions(reader.rest(), &mut facts, context)?;
        }
        Home::Schema => relation(kind, reader, &mut facts, context)?,
        Home::Routine | Home::Operator => {
            let name = reader.operator()?;
            facts.alters = altered(kind, &name, &mut facts, context);
            let _ = reader.brackets();
            if reader.eat(&["using"]) {
                reader.word()?;
            }
            moved(reader, &name, &mut facts, context)?;
        }
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

fn relation(
    kind: &Kind,
    reader: &mut Reader<'_>,
    facts: &mut Facts,
    context: &Context<'_>,
) -> Result<(), NotUnderstood> {
    reader.if_exists();
    reader.eat(&["only"]);
    if reader.eat(&["all", "in"]) {
        facts.beyond = Some("tablespace".to_owned());
        return Ok(());
    }
    let name = reader.name()?;
    reader.op("*");
    facts.alters = altered(kind, &name, facts, context);
    if reader.eat(&["append", "from"]) {
        let source = reader.name()?;
        facts.writes = std::mem::take(&mut facts.alters);
        let emptied = targets(&source, context.scope, facts);
        facts.writes.extend(emptied);
        facts.class = Class::Write;
        "ALTER TABLE APPEND".clone_into(&mut facts.command);
        facts.transaction = Some(TransactionStep::ImplicitCommit);
        return Ok(());
    }
    let through = |relation: &Relation| relation.is_temp() && context.scope.is_temp_view(&relation.name);
    if facts.alters.iter().any(through) {
        doubt(facts, "a change of a temporary view");
    }
    if moved(reader, &name, facts, context)? {
        return Ok(());
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
    definition(rest, facts, context);
    if facts.alters.len() > 1 && facts.alters.iter().any(Relation::is_temp) {
        doubt(facts, "a temporary relation that may vanish with its parent");
    }
    Ok(())
}

/// RENAME TO and SET SCHEMA: what is altered has two names.
fn moved(
    reader: &mut Reader<'_>,
    name: &[String],
    facts: &mut Facts,
    context: &Context<'_>,
) -> Result<bool, NotUnderstood> {
    if reader.eat(&["rename", "to"]) {
        let new = reader.word()?;
        reader.end()?;
        for relation in facts.alters.clone() {
            let renamed = Relation { name: fold(&new), ..relation.clone() };
            if relation.is_temp() {
                let known = name.last().and_then(|name| context.scope.temp(name));
                if matches!(known, None | Some(TempKind::Maybe)) {
                    doubt(facts, "a temporary relation that is not known gets a name");
                }
                facts.drops_temp.extend(name.last().cloned());
                facts.temp_spellings.insert(fold(&new), new.clone());
                facts.creates.insert(renamed.clone());
            }
            facts.alters.insert(renamed);
        }
        return Ok(true);
    }
    if reader.eat(&["set", "schema"]) {
        let schema = reader.word()?;
        reader.end()?;
        doubt_target(&[schema.clone(), String::new()], facts);
        for relation in facts.alters.clone() {
            facts.alters.insert(Relation { schema: fold(&schema), ..relation });
        }
        return Ok(true);
    }
    Ok(false)
}
