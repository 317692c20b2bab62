//! What names mean in a session, and how statements change it.
//!
//! A pure simulation of the server: a statement that succeeded is applied with [`Scope::apply`], an
//! error with [`Scope::abort`], the end of a query string or pipeline with [`Scope::settle`].

use super::Facts;

/// How much a client can make a [`Scope`] hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeBounds {
    pub prepared_max: usize,
    pub cursors_max: usize,
    pub temp_relations_max: usize,
    pub savepoints_max: usize,
}

/// A statement would make the scope larger than its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} {what} in one session")]
pub struct ScopeFull {
    pub what: &'static str,
    pub max: usize,
}

#[derive(Debug, Clone)]
pub struct Scope {
    bounds: ScopeBounds,
}

impl Scope {
    /// `login` is the upstream user (`$user`), `search_path` what Tollgate pinned at start.
    pub fn new(_login: &str, _database: &str, _search_path: &[String], bounds: ScopeBounds) -> Self {
        Self { bounds }
    }

    /// The statement succeeded (or will have, before any later statement of its text runs).
    pub fn apply(&mut self, _facts: &Facts) -> Result<(), ScopeFull> {
        let _ = self.bounds;
        Ok(())
    }

    /// A statement failed: an open block is failed until it ends, an implicit transaction is undone.
    pub fn abort(&mut self) {}

    /// A query string or pipeline ended without error: its implicit transaction is committed.
    pub fn settle(&mut self) {}
}
