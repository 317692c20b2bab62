//! What the warehouse holds, as seen at one moment: evidence for what statements reach.
//!
//! A [`Snapshot`] is plain data, as loaded from the warehouse or kept in a file; a [`Catalog`] is the
//! same, indexed for questions. Names are compared as rules compare them: folded to lower case.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// `schema`, `name`.
pub type Key = (String, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    Table,
    View,
    MaterializedView,
    /// Outside the warehouse: Spectrum's and foreign tables.
    External,
    Sequence,
    Index,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationEntry {
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    pub owner: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What a view reads by itself, late-binding ones by their definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// A function or procedure of users' own; the server's are known by [`crate::sql::risk`].
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
    /// Views by what they read themselves.
    readers: HashMap<Key, Vec<Key>>,
    /// By name alone.
    functions: HashMap<String, Vec<usize>>,
}

fn folded(schema: &str, name: &str) -> Key {
    (schema.to_ascii_lowercase(), name.to_ascii_lowercase())
}

impl Catalog {
    pub fn new(snapshot: Snapshot) -> Self {
        let mut relations: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut readers: HashMap<Key, Vec<Key>> = HashMap::new();
        for (at, entry) in snapshot.relations.iter().enumerate() {
            let key = folded(&entry.schema, &entry.name);
            for (schema, name) in &entry.reads {
                readers.entry(folded(schema, name)).or_default().push(key.clone());
            }
            relations.entry(key).or_default().push(at);
        }
        let mut functions: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, entry) in snapshot.functions.iter().enumerate() {
            functions.entry(entry.name.to_ascii_lowercase()).or_default().push(at);
        }
        Self { snapshot, relations, readers, functions }
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

    /// Whether a schema holds neither sequences nor functions, so that no default of its tables acts.
    pub fn is_inert(&self, schema: &str) -> bool {
        let own = |name: &str| name.eq_ignore_ascii_case(schema);
        let mut relations = self.snapshot.relations.iter();
        !relations.any(|entry| entry.kind == RelationKind::Sequence && own(&entry.schema))
            && !self.snapshot.functions.iter().any(|entry| own(&entry.schema))
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

    /// Every view that reads this relation, through other views too.
    pub fn dependents(&self, schema: &str, name: &str) -> BTreeSet<Key> {
        self.reach(folded(schema, name), |key| self.readers.get(key).cloned().unwrap_or_default())
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
