//! Which relations a name can mean.

use std::collections::BTreeSet;

use super::scope::{Scope, TempKind};
use super::{Facts, Relation};

/// What the server keeps of a name (PostgreSQL; Redshift keeps 127).
const NAME_BYTES_MAX: usize = 63;

/// Relations of the server's own, found before anything on the path.
fn is_system(name: &str) -> bool {
    ["pg_", "stl_", "stv_", "svl_", "svv_", "svcs_", "sys_"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_temp_schema(schema: &str) -> bool {
    schema == "pg_temp" || schema.starts_with("pg_temp_")
}

fn qualified(schema: &str, name: &str) -> Relation {
    if is_temp_schema(schema) { Relation::temp(name) } else { Relation::new(schema, name) }
}

/// Every relation that a name in an expression, a FROM or a target may mean, by folded parts.
pub(super) fn resolve(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    let [name] = parts else { return resolve_new(parts, scope) };
    // Named on the path, these are looked up where they stand there instead of first.
    let placed = scope.search_path().iter().any(|schema| is_temp_schema(schema) || schema == "pg_catalog");
    let first = match scope.temp(name) {
        Some(TempKind::Table | TempKind::View) if !placed => return BTreeSet::from([Relation::temp(name)]),
        Some(_) => Some(Relation::temp(name)),
        None if is_system(name) && !placed => return BTreeSet::from([Relation::new("pg_catalog", name)]),
        None if is_system(name) => Some(Relation::new("pg_catalog", name)),
        None => None,
    };
    let mut candidates = resolve_new(parts, scope);
    candidates.extend(first);
    candidates
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
pub(super) fn resolve_new(parts: &[String], scope: &Scope) -> BTreeSet<Relation> {
    match parts {
        [name] if name.starts_with('#') => BTreeSet::from([Relation::temp(name)]),
        [name] if scope.search_path().is_empty() => BTreeSet::from([Relation::new("pg_catalog", name)]),
        [name] => scope.search_path().iter().map(|schema| qualified(schema, name)).collect(),
        [schema, name] => BTreeSet::from([qualified(schema, name)]),
        [database, schema, name] if database == scope.database() => BTreeSet::from([qualified(schema, name)]),
        [database, schema, name] => {
            let mut relation = Relation::new(schema, name);
            relation.database = Some(database.clone());
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
    if parts.iter().rev().nth(1).is_some_and(|schema| schema == Relation::TEMP) {
        doubt(facts, "a schema named `temp` cannot be told from temporary relations");
    }
    for part in parts.iter().filter(|part| part.len() > NAME_BYTES_MAX) {
        doubt(facts, format!("identifier longer than the server keeps: `{part}`"));
    }
}

/// Adds a doubt once.
pub(super) fn doubt(facts: &mut Facts, text: impl Into<String>) {
    let text = text.into();
    if !facts.doubts.contains(&text) {
        facts.doubts.push(text);
    }
}
