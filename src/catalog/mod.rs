//! What the warehouse holds, as seen at one moment: evidence for what statements reach.
//!
//! A [`Snapshot`] is plain data, as loaded from the warehouse or kept in a file; a [`Catalog`] is the
//! same, indexed for questions. Names are compared as rules compare them: folded to lower case.

mod document;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

pub use document::{NoSnapshot, read, write};

/// `schema`, `name`.
pub type Key = (String, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// Partitioned ones too.
    #[default]
    Table,
    View,
    MaterializedView,
    /// Outside the warehouse: Spectrum's and foreign tables.
    External,
    Sequence,
    Index,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationEntry {
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    pub owner: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What a view reads by itself, late-binding ones by their definition; [`RelationEntry::ANYTHING`]
    /// where that was not understood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Key>,
    /// What it hangs on without reading it: parents, foreign keys' tables, a default's sequence, a
    /// column's row type. It loses a part of itself when they are dropped with CASCADE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hangs_on: Vec<Key>,
    /// A view that stays when what it reads is dropped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late_binding: bool,
    /// Of a table alone, without heirs; not kept in files, which would differ with every load of data.
    #[serde(skip)]
    pub size: Option<Size>,
}

/// How large a table is, as the server's planner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub rows: u64,
    pub pages: u64,
}

impl RelationEntry {
    /// Schema and name of what may be any relation.
    pub const ANYTHING: (&'static str, &'static str) = ("*", "*");
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// A function or procedure of users' own, an operator or a type that runs one; the server's are known by
/// [`crate::sql::risk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionEntry {
    pub schema: String,
    pub name: String,
    pub owner: String,
    pub language: String,
    pub volatility: Volatility,
    /// Runs with its owner's rights.
    pub security_definer: bool,
}

impl FunctionEntry {
    /// An operator, or a type whose default, check or cast is a function: told in the language's place.
    pub fn is_charged(&self) -> bool {
        matches!(self.language.as_str(), "operator" | "type")
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub database: String,
    /// RFC 3339, UTC.
    pub taken: String,
    pub relations: Vec<RelationEntry>,
    pub functions: Vec<FunctionEntry>,
}

/// A snapshot with its indexes.
#[derive(Debug)]
pub struct Catalog {
    snapshot: Snapshot,
    relations: HashMap<Key, Vec<usize>>,
    /// What goes or loses a part with a relation that is dropped with CASCADE.
    dependents: HashMap<Key, Vec<Key>>,
    /// By name alone.
    functions: HashMap<String, Vec<usize>>,
    /// Names of operators and of types that run functions.
    charged: HashSet<String>,
}

fn folded(schema: &str, name: &str) -> Key {
    (schema.to_ascii_lowercase(), name.to_ascii_lowercase())
}

impl Catalog {
    pub fn new(snapshot: Snapshot) -> Self {
        let mut relations: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut dependents: HashMap<Key, Vec<Key>> = HashMap::new();
        for (at, entry) in snapshot.relations.iter().enumerate() {
            let key = folded(&entry.schema, &entry.name);
            let bound = entry.reads.iter().filter(|_| !entry.late_binding);
            for (schema, name) in bound.chain(&entry.hangs_on) {
                dependents.entry(folded(schema, name)).or_default().push(key.clone());
            }
            relations.entry(key).or_default().push(at);
        }
        let mut functions: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, entry) in snapshot.functions.iter().enumerate() {
            functions.entry(entry.name.to_ascii_lowercase()).or_default().push(at);
        }
        let acts = snapshot.functions.iter().filter(|entry| entry.is_charged());
        let charged = acts.map(|entry| entry.name.to_ascii_lowercase()).collect();
        Self { snapshot, relations, dependents, functions, charged }
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The relations of this name: more than one where names differ in case alone.
    pub fn relations(&self, schema: &str, name: &str) -> impl Iterator<Item = &RelationEntry> {
        let found = self.relations.get(&folded(schema, name));
        found.into_iter().flatten().filter_map(|at| self.snapshot.relations.get(*at))
    }

    pub fn holds(&self, schema: &str, name: &str) -> bool {
        self.relations.contains_key(&folded(schema, name))
    }

    /// Whether an operator or a type of this name, in this schema, runs a function.
    pub fn is_charged(&self, schema: &str, name: &str) -> bool {
        self.charged.contains(name) && self.functions(Some(schema), name).any(FunctionEntry::is_charged)
    }

    pub fn has_charged(&self) -> bool {
        !self.charged.is_empty()
    }

    /// Whether any operator or type of this name does, wherever it is.
    pub fn may_be_charged(&self, name: &str) -> bool {
        self.charged.contains(name)
    }

    /// Whether there are neither sequences nor functions of users', so that no default acts.
    pub fn is_inert(&self) -> bool {
        let sequences = self.snapshot.relations.iter().any(|entry| entry.kind == RelationKind::Sequence);
        !sequences && self.snapshot.functions.is_empty()
    }

    /// The functions of this name, in one schema or in any.
    pub fn functions<'a>(
        &'a self,
        schema: Option<&'a str>,
        name: &str,
    ) -> impl Iterator<Item = &'a FunctionEntry> {
        let found = self.functions.get(&name.to_ascii_lowercase());
        let entries = found.into_iter().flatten().filter_map(|at| self.snapshot.functions.get(*at));
        entries.filter(move |entry| schema.is_none_or(|schema| entry.schema.eq_ignore_ascii_case(schema)))
    }

    /// Everything that a view reads, through other views too; nothing for what is no view.
    pub fn bases(&self, schema: &str, name: &str) -> BTreeSet<Key> {
        self.reach(folded(schema, name), |key| {
            self.relations(&key.0, &key.1).flat_map(|entry| &entry.reads).map(|(s, n)| folded(s, n)).collect()
        })
    }

    /// Everything that CASCADE drops or cuts with this relation: views that read it, through other views
    /// too, and what hangs on it. Never itself.
    pub fn dependents(&self, schema: &str, name: &str) -> BTreeSet<Key> {
        let from = folded(schema, name);
        let mut found = self.reach(from.clone(), |key| self.dependents.get(key).cloned().unwrap_or_default());
        found.remove(&from);
        found
    }

    /// The names of every relation of this schema.
    pub fn of_schema(&self, schema: &str) -> BTreeSet<Key> {
        self.relations.keys().filter(|(of, _)| of.eq_ignore_ascii_case(schema)).cloned().collect()
    }

    fn reach(&self, from: Key, next: impl Fn(&Key) -> Vec<Key>) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        let mut open = vec![from];
        while let Some(key) = open.pop() {
            for reached in next(&key) {
                if found.insert(reached.clone()) {
                    open.push(reached);
                }
            }
        }
        found
    }
}
