//! Which relations a name can mean.
//!
//! Names come as spelled: unquoted ones folded, quoted ones as they stand, which PostgreSQL keeps and
//! Redshift folds. Relations are told by their folded names, as rules name them.

use std::collections::BTreeSet;

use super::letters::{fold, is_cased};
use super::lex::{Kind, Token};
use super::scope::Scope;
use super::temporary::TempKind;
use super::{Facts, Relation};

/// What the server keeps of a name (PostgreSQL; Redshift keeps 127).
pub(super) const NAME_BYTES_MAX: usize = 63;

/// Relations of the server's own, found before anything on the path.
fn is_system(name: &str) -> bool {
    ["pg_", "stl_", "stv_", "svl_", "svv_", "svcs_", "sys_"].iter().any(|prefix| name.starts_with(prefix))
}

/// `pg_temp_3` may be another session's.
fn is_temp_schema(schema: &str) -> bool {
    schema == "pg_temp"
}

fn qualified(schema: &str, name: &str) -> Relation {
    let (schema, name) = (fold(schema), fold(name));
    if is_temp_schema(&schema) { Relation::temp(name) } else { Relation::new(schema, name) }
}

/// Every relation that a name in an expression, a FROM or a target may mean.
pub(super) fn resolve(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    let [spelled] = parts else { return resolve_new(parts, scope) };
    let name = fold(spelled);
    // Named on the path, these are looked up where they stand there instead of first.
    let placed = scope.search_path().iter().any(|schema| is_temp_schema(schema) || schema == "pg_catalog");
    let first = match scope.temp(spelled) {
        Some(TempKind::Table | TempKind::View) if !placed => return BTreeSet::from([Relation::temp(name)]),
        Some(_) => Some(Relation::temp(name)),
        None if is_system(spelled) && !placed => return BTreeSet::from([Relation::new("pg_catalog", name)]),
        None if is_system(&name) => Some(Relation::new("pg_catalog", name)),
        None => None,
    };
    let mut candidates = resolve_new(parts, scope);
    candidates.extend(first);
    candidates
}

/// As [`resolve`] for a name that is only read: what the catalog does not know is not meant, as long as it
/// knows one that may be.
pub(super) fn resolve_read(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    let mut candidates = resolve(parts, scope);
    if let (Some(catalog), [_]) = (scope.catalog(), parts) {
        let known = |one: &Relation| one.is_temp() || catalog.holds(&one.schema, &one.name);
        if candidates.iter().any(|one| !one.is_temp() && known(one)) {
            candidates.retain(known);
        }
    }
    candidates
}

/// Adds what the views among the reads read themselves.
pub(super) fn add_bases(facts: &mut Facts, scope: &Scope) {
    let Some(catalog) = scope.catalog() else { return };
    let own = |read: &&Relation| read.database.is_none() && !read.is_temp();
    let bases = facts.reads.iter().filter(own).flat_map(|read| catalog.bases(&read.schema, &read.name));
    let bases: Vec<Relation> = bases.map(|(schema, name)| Relation::new(schema, name)).collect();
    facts.reads.extend(bases);
    // A lock of a view locks what it reads.
    let locked = facts.locks.iter().filter(own).flat_map(|lock| catalog.bases(&lock.schema, &lock.name));
    let locked: Vec<Relation> = locked.map(|(schema, name)| Relation::new(schema, name)).collect();
    facts.locks.extend(locked);
}

/// Adds the users' own functions that bare names may mean on the path: those of the server's name with
/// other arguments, and `f(a)` written `a.f`.
pub(super) fn add_overloads(tokens: &[Token], facts: &mut Facts, scope: &Scope) {
    let Some(catalog) = scope.catalog() else { return };
    let dotted = tokens.windows(2).filter_map(|pair| match pair {
        [dot, Token { kind: Kind::Word { value, .. }, .. }] if dot.is_mark('.') => Some(fold(value)),
        _ => None,
    });
    let bare = facts.functions.iter().filter(|name| !name.contains('.')).cloned();
    let mut found = BTreeSet::new();
    for name in bare.chain(dotted) {
        for schema in scope.search_path() {
            if catalog.functions(Some(schema), &name).next().is_some() {
                found.insert(format!("{schema}.{name}"));
            }
        }
    }
    facts.functions.extend(found);
}

/// Adds the users' own operators, and types that run functions, that the tokens may mean.
pub(super) fn add_charged(tokens: &[Token], facts: &mut Facts, scope: &Scope) {
    let Some(catalog) = scope.catalog().filter(|catalog| catalog.has_charged()) else { return };
    for (at, token) in tokens.iter().enumerate() {
        let name = match &token.kind {
            Kind::Op(sign) => sign.clone(),
            Kind::Word { value, .. } => fold(value),
            Kind::Text { .. } | Kind::Number(_) | Kind::Param(_) | Kind::Mark(_) => continue,
        };
        if !catalog.may_be_charged(&name) {
            continue;
        }
        let before = at.checked_sub(2).and_then(|at| tokens.get(at)).map(|token| &token.kind);
        let dotted = at.checked_sub(1).and_then(|at| tokens.get(at)).is_some_and(|dot| dot.is_mark('.'));
        let own = match before {
            Some(Kind::Word { value, .. }) if dotted => vec![fold(value)],
            _ => scope.search_path().to_vec(),
        };
        for schema in own.iter().filter(|schema| catalog.is_charged(schema, &name)) {
            facts.functions.insert(format!("{schema}.{name}"));
        }
    }
}

/// As [`resolve`] for a name that is written: a system name may also stand on the path.
pub(super) fn resolve_target(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    let mut candidates = resolve(parts, scope);
    if let [name] = parts
        && scope.temp(name).is_none()
    {
        candidates.extend(resolve_new(parts, scope));
    }
    candidates
}

/// Every relation that a CREATE of this name may make: temporary ones do not stand in its way.
///
/// `#name` is temporary to Redshift; PostgreSQL knows it quoted alone, as a name like any other.
pub(super) fn resolve_new(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    let mut made = in_own_database(parts, scope);
    if let (Some(database), [_] | [_, _]) = (scope.used_database(), parts) {
        let named = made.into_iter().map(|relation| match relation.is_temp() {
            true => relation,
            false => Relation { database: Some(database.to_owned()), ..relation },
        });
        made = named.collect();
    }
    made
}

fn in_own_database(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    match parts {
        [name] => {
            let mut made: BTreeSet<Relation> =
                scope.search_path().iter().map(|schema| qualified(schema, name)).collect();
            if scope.search_path().is_empty() {
                made.insert(Relation::new("pg_catalog", fold(name)));
            }
            if name.starts_with('#') {
                made.insert(Relation::temp(fold(name)));
            }
            made
        }
        [schema, name] => BTreeSet::from([qualified(schema, name)]),
        [database, schema, name] if fold(database) == scope.database() => {
            BTreeSet::from([qualified(schema, name)])
        }
        [database, schema, name] => {
            let mut relation = Relation::new(fold(schema), fold(name));
            relation.database = Some(fold(database));
            BTreeSet::from([relation])
        }
        _ => BTreeSet::new(),
    }
}

/// Notes what about a name the server may read otherwise than written.
pub(super) fn doubt_name(parts: &[String], facts: &mut Facts) {
    if parts.is_empty() || parts.len() > 3 {
        doubt(facts, format!("the name `{}` has more parts than a relation's", parts.join(".")));
    }
    if parts.iter().rev().nth(1).is_some_and(|schema| fold(schema) == Relation::TEMP) {
        doubt(facts, "a schema named `temp` cannot be told from temporary relations");
    }
    for part in parts.iter().filter(|part| part.len() > NAME_BYTES_MAX) {
        doubt(facts, format!("identifier longer than the server keeps: `{part}`"));
    }
}

/// The same for a name that is changed: PostgreSQL knows `"Orders"` beside `orders`.
pub(super) fn doubt_target(parts: &[String], facts: &mut Facts) {
    doubt_name(parts, facts);
    let before = parts.split_last().map_or(&[][..], |(_, before)| before);
    if let Some(schema) = before.iter().find(|part| is_cased(part)) {
        doubt(facts, format!("the schema `{schema}` is another one where quoted capitals are kept"));
    }
}

/// What about a function's name could hide that it is another's.
pub(super) fn doubt_function(parts: &[String], facts: &mut Facts) {
    if parts.iter().any(|part| part.contains('.')) {
        doubt(facts, "a function's name with a dot inside");
    }
    if let Some(part) = parts.iter().find(|part| is_cased(part)) {
        doubt(facts, format!("the function `{part}` is another one where quoted capitals are kept"));
    }
}

/// A name of the session's own objects that differs from another in case alone.
pub(super) fn doubt_own(name: &str, scope: &Scope, facts: &mut Facts) {
    if name.len() > NAME_BYTES_MAX {
        doubt(facts, format!("identifier longer than the server keeps: `{name}`"));
    }
    if scope.blurs(name) {
        doubt(facts, format!("`{name}` differs in case alone from another name of this session"));
    }
}

/// What a write to this name changes, with a doubt where it lands elsewhere.
pub(super) fn targets(parts: &[String], scope: &Scope, facts: &mut Facts) -> BTreeSet<Relation> {
    doubt_target(parts, facts);
    let written = resolve_target(parts, scope);
    if written.iter().any(|relation| relation.is_temp() && scope.is_temp_view(&relation.name)) {
        doubt(facts, "a write through a temporary view lands in what the view reads");
    }
    written
}

/// What a CREATE of this name makes.
pub(super) fn created(
    parts: &[String],
    temporary: bool,
    scope: &Scope,
    facts: &mut Facts,
) -> BTreeSet<Relation> {
    doubt_target(parts, facts);
    let made = match parts.last() {
        Some(name) if temporary => {
            if parts.len() > 1 && !resolve_new(parts, scope).iter().all(Relation::is_temp) {
                doubt(facts, "a temporary relation with a schema's name");
            }
            BTreeSet::from([Relation::temp(fold(name))])
        }
        _ => resolve_new(parts, scope),
    };
    spell(parts, &made, facts);
    made
}

/// Keeps how the temporary ones among what is made are spelled.
pub(super) fn spell(parts: &[String], made: &BTreeSet<Relation>, facts: &mut Facts) {
    if let Some(name) = parts.last()
        && made.iter().any(Relation::is_temp)
    {
        facts.temp_spellings.insert(fold(name), name.clone());
    }
}

/// Adds a doubt once.
pub(super) fn doubt(facts: &mut Facts, text: impl Into<String>) {
    let text = text.into();
    if !facts.doubts.contains(&text) {
        facts.doubts.push(text);
    }
}
