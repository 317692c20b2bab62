//! Who is at work on which sandbox table, so that none is swapped for a view between the question what it
//! is and the statement that writes it.
//!
//! A session that writes rows and one that changes definitions exclude each other by name, until they are
//! idle. It holds within this process; the warehouse's grants are the wall behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use dashmap::DashMap;
use uuid::Uuid;

use crate::policy::RuleSet;
use crate::refusal::{Code, Refusal};
use crate::session::Gate;
use crate::sql::Relation;

#[derive(Debug, Default)]
struct AtWork {
    writers: BTreeSet<Uuid>,
    changers: BTreeSet<Uuid>,
}

/// The relations that sessions are at work on; as many as sessions have named and not more.
#[derive(Debug, Default)]
pub struct Claims(DashMap<Relation, AtWork>);

/// What one session holds; given back when it is dropped.
#[derive(Debug)]
pub struct Claimed {
    claims: Arc<Claims>,
    session: Uuid,
    relations: BTreeSet<Relation>,
}

impl Claimed {
    pub fn new(claims: &Arc<Claims>, session: Uuid) -> Self {
        Self { claims: Arc::clone(claims), session, relations: BTreeSet::new() }
    }

    /// Claims what the gate's statements write and change in sandboxes; the refusal if another session's
    /// work stands against it.
    pub fn claim(&mut self, gate: &Gate, rules: &RuleSet) -> Option<(usize, Refusal)> {
        for (at, judged) in gate.statements.iter().enumerate() {
            let facts = &judged.statement.facts;
            let writes = facts.writes.iter().map(|relation| (relation, true));
            let changes = facts.creates.iter().chain(&facts.alters).map(|relation| (relation, false));
            for (relation, writes) in writes.chain(changes) {
                if is_sandbox(relation, rules) && !self.enter(relation, writes) {
                    return Some((at, in_use(relation)));
                }
            }
        }
        None
    }

    fn enter(&mut self, relation: &Relation, writes: bool) -> bool {
        let mut at_work = self.claims.0.entry(relation.clone()).or_default();
        let against = if writes { &at_work.changers } else { &at_work.writers };
        if against.iter().any(|other| *other != self.session) {
            return false;
        }
        let own = if writes { &mut at_work.writers } else { &mut at_work.changers };
        own.insert(self.session);
        self.relations.insert(relation.clone());
        true
    }

    pub fn is_empty(&self) -> bool {
        self.relations.is_empty()
    }

    /// The session is idle: its work is done or undone.
    pub fn release(&mut self) {
        for relation in std::mem::take(&mut self.relations) {
            self.claims.0.remove_if_mut(&relation, |_, at_work| {
                at_work.writers.remove(&self.session);
                at_work.changers.remove(&self.session);
                at_work.writers.is_empty() && at_work.changers.is_empty()
            });
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.release();
    }
}

fn is_sandbox(relation: &Relation, rules: &RuleSet) -> bool {
    let domain = rules.domain_of(&relation.schema).filter(|_| relation.database.is_none());
    let sandbox = domain.and_then(|domain| domain.sandbox.as_ref());
    sandbox.is_some_and(|sandbox| sandbox.schema == relation.schema)
}

fn in_use(relation: &Relation) -> Refusal {
    let text = format!("{relation} is being changed or written by another session");
    Refusal::by(Code::ConcurrencyLimit, text).with_hint("Try again when it is done")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_and_changers_of_one_name_exclude_each_other() {
        let claims = Arc::new(Claims::default());
        let relation = Relation::new("sandbox_orders", "x");
        let [mut ana, mut bob] = [1, 2].map(|n| Claimed::new(&claims, Uuid::from_u128(n)));
        assert!(ana.enter(&relation, true) && bob.enter(&relation, true));
        assert!(!bob.enter(&relation, false));
        ana.release();
        // One's own work stands against nobody's own.
        assert!(bob.enter(&relation, false));
        assert!(!ana.enter(&relation, true) && !ana.enter(&relation, false));
        drop(bob);
        assert!(ana.enter(&relation, true) && ana.enter(&relation, false));
        drop(ana);
        assert!(claims.0.is_empty());
    }
}
