//! Permits given before, for facts that are the very same.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::catalog::Catalog;
use crate::limits::ceiling;
use crate::policy::{Basis, Decision, Denial, Permit, Principal, decide};
use crate::sql::Facts;

/// Facts that recur in one session are few.
const KEPT_MAX: usize = 64;

/// A permit, and whether its cost cap holds whatever EXPLAIN would say.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub permit: Permit,
    pub light: bool,
}

/// The session's own: its principal never changes.
#[derive(Debug, Default)]
pub(super) struct Permits {
    generation: u64,
    sized: bool,
    catalog: Option<Weak<Catalog>>,
    /// By the facts' address, which is theirs as long as they are held here.
    given: HashMap<usize, (Arc<Facts>, Grant)>,
}

impl Permits {
    /// As [`decide`].
    pub(super) fn decide(
        &mut self,
        principal: &Principal,
        facts: &Arc<Facts>,
        basis: &Basis<'_>,
    ) -> Result<Grant, Box<Denial>> {
        // Whose a process is changes with every login.
        let Some(generation) = basis.generation.filter(|_| facts.signals.is_empty()) else {
            return grant(principal, facts, basis);
        };
        if self.generation != generation || self.sized != basis.sized || !self.goes_by(basis.catalog) {
            self.given.clear();
            self.generation = generation;
            self.sized = basis.sized;
            self.catalog = basis.catalog.map(Arc::downgrade);
        }
        let address = Arc::as_ptr(facts).addr();
        if let Some((_, given)) = self.given.get(&address) {
            return Ok(given.clone());
        }
        let given = grant(principal, facts, basis)?;
        // Facts that nobody else holds are not met again.
        if Arc::strong_count(facts) > 1 {
            if self.given.len() >= KEPT_MAX {
                self.given.clear();
            }
            self.given.insert(address, (Arc::clone(facts), given.clone()));
        }
        Ok(given)
    }

    fn goes_by(&self, catalog: Option<&Arc<Catalog>>) -> bool {
        match (&self.catalog, catalog) {
            (None, None) => true,
            (Some(kept), Some(catalog)) => std::ptr::eq(kept.as_ptr(), Arc::as_ptr(catalog)),
            _ => false,
        }
    }
}

fn grant(principal: &Principal, facts: &Facts, basis: &Basis<'_>) -> Result<Grant, Box<Denial>> {
    match decide(principal, facts, basis) {
        Decision::Allow(permit) => {
            let most = basis.catalog.filter(|_| basis.sized).and_then(|catalog| ceiling(facts, catalog));
            let light = most.is_some_and(|most| permit.obligations().cost.is_none_or(|cap| most <= cap));
            Ok(Grant { permit, light })
        }
        Decision::Deny(denial) => Err(Box::new(denial)),
    }
}
