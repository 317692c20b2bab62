//! What names mean in the course of a text, by PostgreSQL's rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::tree::text;

pub(crate) const DATABASE: &str = "dev";
pub(crate) const LOGIN: &str = "svc";
pub(crate) const SCHEMA: &str = "public";

/// What a statement touches, folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `schema.name`, `temp.name`, `database.schema.name`, `schema.*`.
    Relation(String),
    /// Something else that lives in this schema: a type, a function.
    InSchema(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation(name) => f.write_str(name),
            Self::InSchema(schema) => write!(f, "in {schema}"),
        }
    }
}

/// The session, as the statements so far left it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    /// `None` where a function set it to what only the server knows.
    pub(crate) path: Option<Vec<String>>,
    pub(crate) local_path: Option<Option<Vec<String>>>,
    /// Temporary relations by their exact names, and whether a commit drops them.
    pub(crate) temporary: BTreeMap<String, bool>,
}

impl Session {
    pub(crate) fn start() -> Self {
        Self { path: Some(vec![SCHEMA.to_owned()]), local_path: None, temporary: BTreeMap::new() }
    }

    fn path(&self) -> &[String] {
        self.local_path.as_ref().unwrap_or(&self.path).as_deref().unwrap_or_default()
    }

    /// With this schema alone on the path.
    pub(crate) fn inside(&self, schema: &str) -> Self {
        Self { path: Some(vec![schema.to_owned()]), local_path: None, temporary: BTreeMap::new() }
    }

    /// Where a name that exists may lead.
    pub(crate) fn existing(&self, parts: &[String]) -> BTreeSet<Place> {
        let [name] = parts else { return self.made(parts) };
        if !self.temporary.contains_key(name) {
            return self.made(parts);
        }
        let mut places = BTreeSet::from([relation(&["temp", name])]);
        if self.path().iter().any(|schema| is_temporary(schema)) {
            places.extend(self.made(parts));
        }
        places
    }

    /// Where a name that is made may come to be.
    pub(crate) fn made(&self, parts: &[String]) -> BTreeSet<Place> {
        match parts {
            [name] => self.path().iter().map(|schema| in_schema(schema, name)).collect(),
            [schema, name] => BTreeSet::from([in_schema(schema, name)]),
            [database, schema, name] if database == DATABASE => BTreeSet::from([in_schema(schema, name)]),
            [database, schema, name] => BTreeSet::from([relation(&[database, schema, name])]),
            _ => BTreeSet::new(),
        }
    }

    /// The schemas that an object other than a relation may live in.
    pub(crate) fn homes(&self, parts: &[String]) -> BTreeSet<Place> {
        match parts {
            [_] => self.path().iter().filter_map(|schema| home(schema)).collect(),
            [.., schema, _] => home(schema).into_iter().collect(),
            [] => BTreeSet::new(),
        }
    }

    /// Whether this relation is one of the session's own.
    pub(crate) fn is_temporary(&self, parts: &[String]) -> bool {
        match parts {
            [name] => self.temporary.contains_key(name),
            [schema, _] => is_temporary(schema),
            _ => false,
        }
    }
}

/// None for what the session has to itself.
fn home(schema: &str) -> Option<Place> {
    (!is_temporary(schema)).then(|| Place::InSchema(schema.to_lowercase()))
}

fn in_schema(schema: &str, name: &str) -> Place {
    if is_temporary(schema) { relation(&["temp", name]) } else { relation(&[schema, name]) }
}

fn relation(parts: &[&str]) -> Place {
    Place::Relation(parts.join(".").to_lowercase())
}

/// A schema and whatever it holds.
pub(crate) fn whole(schema: &str) -> Place {
    relation(&[schema, "*"])
}

/// The session's own; `pg_temp_3` may be another's.
fn is_temporary(schema: &str) -> bool {
    schema == "pg_temp"
}

/// The parts of a relation's name.
pub(crate) fn range(value: &Value) -> Vec<String> {
    ["catalogname", "schemaname", "relname"]
        .iter()
        .map(|key| text(value, key))
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a relation is made with TEMPORARY or in a temporary schema.
pub(crate) fn is_made_temporary(value: &Value) -> bool {
    text(value, "relpersistence") == "t" || is_temporary(text(value, "schemaname"))
}

/// Where what is made with this name comes to be.
pub(crate) fn made(value: &Value, session: &Session) -> BTreeSet<Place> {
    if is_made_temporary(value) {
        return BTreeSet::from([relation(&["temp", text(value, "relname")])]);
    }
    session.made(&range(value))
}
