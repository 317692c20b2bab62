//! The transaction a scope is in: what its end, its savepoints and its failure make of names.

use super::{Scope, ScopeFull, State};
use crate::sql::{Facts, TransactionStep};

#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) explicit: bool,
    pub(super) failed: bool,
    start: State,
    pub(super) savepoints: Vec<(String, State)>,
    /// Where a server that commits at TRUNCATE would go back to.
    committed: Option<State>,
}

impl Scope {
    pub(super) fn enter(&mut self, explicit: bool) {
        let start = &self.state;
        let transaction = self.transaction.get_or_insert_with(|| Transaction {
            explicit,
            failed: false,
            start: start.clone(),
            savepoints: Vec::new(),
            committed: None,
        });
        transaction.explicit |= explicit;
    }

    pub(super) fn apply_transaction(&mut self, facts: &Facts) -> Result<(), ScopeFull> {
        match &facts.transaction {
            Some(TransactionStep::Begin) => self.enter(true),
            Some(TransactionStep::Commit { chain }) if self.is_failed() => self.rollback(*chain),
            Some(TransactionStep::Commit { chain }) => self.commit(*chain),
            Some(TransactionStep::Rollback { chain }) => self.rollback(*chain),
            Some(TransactionStep::Savepoint(name)) => self.savepoint(name)?,
            Some(TransactionStep::Release(name)) => {
                if let Some(transaction) = &mut self.transaction
                    && let Some(at) = transaction.savepoints.iter().rposition(|(kept, _)| kept == name)
                {
                    transaction.savepoints.truncate(at);
                }
            }
            Some(TransactionStep::RollbackTo(name)) => self.rewind(name),
            Some(TransactionStep::ImplicitCommit) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.committed = Some(self.state.clone());
                }
            }
            None => {}
        }
        Ok(())
    }

    fn savepoint(&mut self, name: &str) -> Result<(), ScopeFull> {
        let max = self.bounds.savepoints_max;
        if let Some(transaction) = &mut self.transaction {
            if transaction.savepoints.len() >= max {
                return Err(ScopeFull { what: "savepoints", max });
            }
            transaction.savepoints.push((name.to_owned(), self.state.clone()));
        }
        Ok(())
    }

    fn rewind(&mut self, name: &str) {
        let Some(transaction) = &mut self.transaction else { return };
        if let Some(at) = transaction.savepoints.iter().rposition(|(kept, _)| kept == name) {
            transaction.savepoints.truncate(at + 1);
            transaction.failed = false;
            if let Some((_, state)) = transaction.savepoints.last() {
                let before = std::mem::replace(&mut self.state, state.clone());
                self.touch(&before.temp);
            }
        }
    }

    pub(super) fn commit(&mut self, chain: bool) {
        self.transaction = None;
        self.state.local_path = None;
        self.state.cursors.retain(|_, cursor| cursor.hold);
        if chain {
            self.enter(true);
        }
    }

    pub(super) fn rollback(&mut self, chain: bool) {
        if let Some(transaction) = self.transaction.take() {
            let state = match transaction.committed {
                Some(committed) => either(transaction.start, committed),
                None => transaction.start,
            };
            let before = std::mem::replace(&mut self.state, state);
            self.touch(&before.temp);
        }
        self.commit(chain);
    }
}

pub(super) fn ends_or_rewinds(facts: &Facts) -> bool {
    matches!(
        facts.transaction,
        Some(
            TransactionStep::Commit { .. }
                | TransactionStep::Rollback { .. }
                | TransactionStep::RollbackTo(_)
        )
    )
}

/// A state that holds whichever of two is true: every name of either is a candidate.
fn either(one: State, other: State) -> State {
    let mut state = one.clone();
    state.path.extend(other.path.into_iter().filter(|schema| !one.path.contains(schema)));
    state.temp = one.temp.either(&other.temp);
    state
}
