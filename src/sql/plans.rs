//! Prepared statements, and how old the server's plans for them may be.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::scope::ScopeFull;

#[derive(Debug, Clone)]
struct Prepared {
    text: Arc<str>,
    epoch: u64,
}

/// The prepared statements of a session, by their names as spelled.
#[derive(Debug, Clone, Default)]
pub(super) struct Plans {
    prepared: BTreeMap<String, Prepared>,
    /// Temporary names by the epoch in which they were last made or dropped.
    touched: BTreeMap<String, u64>,
    /// The last epoch whose names were forgotten for want of room.
    forgotten: u64,
    /// Counts how often temporary names changed.
    epoch: u64,
}

impl Plans {
    pub(super) fn text(&self, name: &str) -> Option<&Arc<str>> {
        self.prepared.get(name).map(|prepared| &prepared.text)
    }

    pub(super) fn epoch_of(&self, name: &str) -> u64 {
        self.prepared.get(name).map_or(0, |prepared| prepared.epoch)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.prepared.keys()
    }

    pub(super) fn keep(&mut self, name: &str, text: Arc<str>, max: usize) -> Result<(), ScopeFull> {
        if self.prepared.len() >= max && !self.prepared.contains_key(name) {
            return Err(ScopeFull { what: "prepared statements", max });
        }
        self.prepared.insert(name.to_owned(), Prepared { text, epoch: self.epoch });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    pub(super) fn clear(&mut self) {
        self.prepared.clear();
    }

    /// Temporary names that a plan of this epoch may know otherwise than they are.
    pub(super) fn touched_since(&self, epoch: u64) -> impl Iterator<Item = &str> {
        self.touched.iter().filter(move |(_, touched)| **touched > epoch).map(|(name, _)| name.as_str())
    }

    /// These temporary names were made or dropped; beyond `max` of them all are taken for it.
    pub(super) fn touch(&mut self, names: Vec<String>, max: usize) {
        if names.is_empty() {
            return;
        }
        self.epoch += 1;
        for name in names {
            self.touched.insert(name, self.epoch);
        }
        if self.touched.len() > max {
            self.touched.clear();
            self.forgotten = self.epoch;
        }
    }

    /// Which names a plan of this epoch knows otherwise is not known any more.
    pub(super) fn forgot_since(&self, epoch: u64) -> bool {
        self.forgotten > epoch
    }
}
