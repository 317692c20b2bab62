//! What a decision rests on beside the statement itself.

use std::fmt;
use std::sync::Arc;

use super::Principal;
use super::rule::RuleSet;
use crate::catalog::Catalog;

#[derive(Clone, Copy)]
pub struct Basis<'a> {
    pub rules: &'a RuleSet,
    /// Of the rules: equal numbers are the same rules. `None`: nothing is remembered of them.
    pub generation: Option<u64>,
    /// `None`: names alone are judged, and fall to the safer side.
    pub catalog: Option<&'a Arc<Catalog>>,
    /// Whether the catalog's sizes are young enough to go by.
    pub sized: bool,
    /// Whether the warehouse's process of this id serves a session of this principal.
    pub own_backend: &'a dyn Fn(&Principal, i32) -> bool,
}

impl<'a> Basis<'a> {
    /// Rules alone.
    pub fn of(rules: &'a RuleSet) -> Self {
        Self { rules, generation: None, catalog: None, sized: false, own_backend: &|_, _| false }
    }

    pub fn with_catalog(self, catalog: Option<&'a Arc<Catalog>>) -> Self {
        Self { catalog, ..self }
    }
}

impl fmt::Debug for Basis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basis").field("catalog", &self.catalog.is_some()).finish_non_exhaustive()
    }
}
