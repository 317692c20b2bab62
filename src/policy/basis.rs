//! What a decision rests on beside the statement itself.

use std::fmt;
use std::sync::Arc;

use super::Principal;
use super::rule::RuleSet;
use crate::catalog::Catalog;

#[derive(Clone, Copy)]
pub struct Basis<'a> {
    pub rules: &'a RuleSet,
    /// `None`: names alone are judged, and fall to the safer side.
    pub catalog: Option<&'a Arc<Catalog>>,
    /// Whether the warehouse's process of this id serves a session of this principal.
    pub own_backend: &'a dyn Fn(&Principal, i32) -> bool,
}

impl<'a> Basis<'a> {
    /// Rules alone.
    pub fn of(rules: &'a RuleSet) -> Self {
        Self { rules, catalog: None, own_backend: &|_, _| false }
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
