//! The session's protocol-level statements and portals, both bounded.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sql::{Class, Facts, Statement};

/// A statement as Parse left it.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub text: Arc<str>,
    /// `None` for an empty text.
    pub statement: Option<Statement>,
    /// Count and OIDs of the parameter types, as the client gave them.
    pub types: Arc<[u8]>,
    /// The scope's version under which `statement` was found.
    pub scope_version: u64,
    /// The scope's epoch at its Parse, see [`crate::sql::Scope::since`].
    pub epoch: u64,
}

/// A portal as Bind left it.
#[derive(Debug, Clone)]
pub(super) struct Portal {
    pub prepared: Prepared,
    pub estimate: Option<f64>,
    /// Rows that earlier Executes took.
    pub rows: u64,
    /// How many Syncs and Queries went on before it was made.
    pub epoch: u64,
}

#[derive(Debug, Default)]
pub(super) struct Statements(HashMap<String, Prepared>);

impl Statements {
    pub fn find(&self, name: &str) -> Option<&Prepared> {
        self.0.get(name)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The answer is the one that stood there.
    pub fn keep(&mut self, name: &str, prepared: Prepared) -> Option<Prepared> {
        self.0.insert(name.to_owned(), prepared)
    }

    /// The answer is the one that stood there.
    pub fn forget(&mut self, name: &str) -> Option<Prepared> {
        self.0.remove(name)
    }

    pub fn clear(&mut self) {
        self.0.retain(|name, _| name.is_empty());
    }
}

#[derive(Debug, Default)]
pub(super) struct Portals(HashMap<String, Portal>);

impl Portals {
    pub fn find(&self, name: &str) -> Option<&Portal> {
        self.0.get(name)
    }

    /// Named portals that only read, and whose names the server has settled.
    pub fn readers(&self) -> impl Iterator<Item = (String, Arc<Facts>)> {
        self.0.iter().filter_map(|(name, portal)| {
            let facts = &portal.prepared.statement.as_ref()?.facts;
            let reads = facts.class == Class::Read && facts.is_planned() && facts.writes.is_empty();
            (reads && !name.is_empty()).then(|| (name.clone(), Arc::clone(facts)))
        })
    }

    pub fn find_mut(&mut self, name: &str) -> Option<&mut Portal> {
        self.0.get_mut(name)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn keep(&mut self, name: &str, portal: Portal) {
        self.0.insert(name.to_owned(), portal);
    }

    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// No transaction is open after `answered` answers to Sync and Query: portals made before them are gone.
    pub fn end_transaction(&mut self, answered: u64) {
        self.0.retain(|_, portal| portal.epoch >= answered);
    }
}
