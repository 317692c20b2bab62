//! What names mean in a session, and how statements change it.
//!
//! A pure simulation of the server: a statement that succeeded is applied with [`Scope::apply`], an
//! error with [`Scope::abort`], the end of a query string or pipeline with [`Scope::settle`].

mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::transaction::{Transaction, ends_or_rewinds};
use super::letters::fold;
use super::plans::Plans;
use super::temporary::{TempKind, TempRelations};
use super::{CursorStep, Facts, PreparedStep, SessionChange};
use crate::catalog::Catalog;

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

/// What the server says of the transaction in ReadyForQuery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Idle,
    InBlock,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    facts: Arc<Facts>,
    hold: bool,
}

/// What a rollback restores.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    path: Vec<String>,
    /// SET LOCAL: in force until the transaction ends.
    local_path: Option<Vec<String>>,
    /// By USE.
    database: Option<String>,
    temp: TempRelations,
    /// By names as spelled.
    cursors: BTreeMap<String, Cursor>,
}

/// The names of one session: search path, temporary relations, prepared statements, cursors.
#[derive(Debug, Clone)]
pub struct Scope {
    bounds: ScopeBounds,
    login: String,
    database: String,
    pinned: Vec<String>,
    state: State,
    transaction: Option<Transaction>,
    prepared: Plans,
    /// What portals of the protocol read, by their names: MOVE takes them as cursors.
    portals: BTreeMap<String, Arc<Facts>>,
    catalog: Option<Arc<Catalog>>,
}

impl Scope {
    /// `login` is the upstream user (`$user`), `search_path` what Tollgate pinned at start.
    pub fn new(login: &str, database: &str, search_path: &[String], bounds: ScopeBounds) -> Self {
        let login = fold(login);
        let pinned = path_of(search_path, &login);
        let state = State {
            path: pinned.clone(),
            local_path: None,
            database: None,
            temp: TempRelations::default(),
            cursors: BTreeMap::new(),
        };
        Self {
            bounds,
            login,
            database: fold(database),
            pinned,
            state,
            transaction: None,
            prepared: Plans::default(),
            portals: BTreeMap::new(),
            catalog: None,
        }
    }

    /// The schemas that bare names are looked up in, `$user` resolved.
    pub fn search_path(&self) -> &[String] {
        self.state.local_path.as_ref().unwrap_or(&self.state.path)
    }

    /// What is known of the warehouse; `None`: names alone are gone by.
    pub fn catalog(&self) -> Option<&Arc<Catalog>> {
        self.catalog.as_ref()
    }

    /// Goes by another snapshot from now on; whether it is another.
    pub fn go_by(&mut self, catalog: Option<&Arc<Catalog>>) -> bool {
        let same = match (&self.catalog, catalog) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.catalog = catalog.cloned();
        }
        !same
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// The database that names without one mean, where it is not the session's own.
    pub fn used_database(&self) -> Option<&str> {
        self.state.database.as_deref()
    }

    /// Whether an explicit transaction block is open, failed or not.
    pub fn in_block(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.explicit)
    }

    pub fn is_failed(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.failed)
    }

    /// The text of a prepared statement.
    pub fn prepared(&self, name: &str) -> Option<&Arc<str>> {
        self.prepared.text(name)
    }

    /// When a statement was prepared, for [`Scope::since`].
    pub fn prepared_epoch(&self, name: &str) -> u64 {
        self.prepared.epoch_of(name)
    }

    /// Counts how often temporary names changed.
    pub fn epoch(&self) -> u64 {
        self.prepared.epoch()
    }

    /// The scope for a statement prepared at `epoch`: a temporary name that changed since may mean what
    /// the server's plan was made for, which it keeps though a new relation stands before it.
    pub fn since(&self, epoch: u64) -> Self {
        let mut scope = self.clone();
        if self.prepared.forgot_since(epoch) {
            self.state.temp.names().for_each(|name| scope.state.temp.blur(name));
        }
        for name in self.prepared.touched_since(epoch) {
            scope.state.temp.blur(name);
        }
        scope
    }

    /// Notes which temporary names are others than before.
    fn touch(&mut self, before: &TempRelations) {
        self.prepared.touch(before.differing(&self.state.temp), 4 * self.bounds.temp_relations_max);
    }

    /// What a cursor reads, as declared.
    pub fn cursor(&self, name: &str) -> Option<&Arc<Facts>> {
        self.state.cursors.get(name).map(|cursor| &cursor.facts)
    }

    /// The protocol's portals as they are now.
    pub fn see_portals(&mut self, portals: impl Iterator<Item = (String, Arc<Facts>)>) {
        self.portals.clear();
        self.portals.extend(portals);
    }

    /// What a portal of the protocol reads.
    pub(super) fn portal(&self, name: &str) -> Option<&Arc<Facts>> {
        self.portals.get(name)
    }

    /// Names of the temporary relations that shadow others.
    pub fn temp_relations(&self) -> impl Iterator<Item = &str> {
        self.state.temp.names()
    }

    /// What a bare name means among the temporary relations.
    pub(super) fn temp(&self, spelled: &str) -> Option<TempKind> {
        self.state.temp.find(spelled)
    }

    /// Whether a temporary relation of this folded name may be a view.
    pub(super) fn is_temp_view(&self, name: &str) -> bool {
        self.state.temp.is_view(name)
    }

    /// Appends what names mean here, but for the session's own objects and the catalog; false where
    /// temporary relations stand before others.
    pub(super) fn meaning(&self, out: &mut Vec<u8>) -> bool {
        let words = [Some(self.database.as_str()), self.state.database.as_deref()];
        for word in words.into_iter().chain(self.search_path().iter().map(|schema| Some(schema.as_str()))) {
            out.push(if word.is_some() { 1 } else { 0 });
            out.extend_from_slice(word.unwrap_or_default().as_bytes());
            out.push(0);
        }
        out.push(2);
        self.state.temp.is_empty()
    }

    /// Whether another prepared statement's or cursor's name differs from this in case alone: servers
    /// disagree on which is meant.
    pub(super) fn blurs(&self, name: &str) -> bool {
        let savepoints = self.transaction.iter().flat_map(|transaction| &transaction.savepoints);
        let names = self.prepared.names().chain(self.state.cursors.keys());
        let mut names = names.chain(savepoints.map(|(name, _)| name));
        names.any(|other| other != name && other.eq_ignore_ascii_case(name))
    }

    /// Keeps a named statement of PREPARE or of the protocol's Parse: one name space.
    pub fn prepare(&mut self, name: &str, text: Arc<str>) -> Result<(), ScopeFull> {
        let max = self.bounds.prepared_max;
        self.prepared.keep(name, text, max)
    }

    pub fn deallocate(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// The statement succeeded (or will have, before any later statement of its text runs).
    pub fn apply(&mut self, facts: &Facts) -> Result<(), ScopeFull> {
        if self.is_failed() && !ends_or_rewinds(facts) {
            return Ok(());
        }
        self.enter(false);
        let makes = facts.drops_all_temp
            || !facts.drops_temp.is_empty()
            || facts.creates.iter().any(super::Relation::is_temp);
        if makes {
            let before = self.state.temp.clone();
            self.state.temp.apply(facts, self.bounds.temp_relations_max)?;
            self.touch(&before);
        }
        for change in &facts.session {
            self.apply_setting(change);
        }
        match &facts.prepared {
            Some(PreparedStep::Prepare { name, text }) => self.prepare(name, Arc::clone(text))?,
            Some(PreparedStep::Deallocate { name }) => self.deallocate(name),
            Some(PreparedStep::DeallocateAll) => self.prepared.clear(),
            Some(PreparedStep::Execute { .. }) | None => {}
        }
        self.apply_cursor(facts)?;
        if facts.command == "DISCARD ALL" {
            self.prepared.clear();
            self.state.cursors.clear();
            // It runs outside of blocks alone, and no error behind it undoes it.
            self.commit(false);
        }
        self.apply_transaction(facts)
    }

    /// A statement failed: an open block is failed until it ends, an implicit transaction is undone.
    pub fn abort(&mut self) {
        match &mut self.transaction {
            Some(transaction) if transaction.explicit => transaction.failed = true,
            Some(_) => self.rollback(false),
            None => {}
        }
    }

    /// A query string or pipeline ended without error: its implicit transaction is committed.
    pub fn settle(&mut self) {
        if self.transaction.is_some() && !self.in_block() {
            self.commit(false);
        }
    }

    /// The server's own word on the transaction, which is authoritative.
    pub fn sync_status(&mut self, status: Status) {
        match status {
            Status::Idle if self.is_failed() => self.rollback(false),
            Status::Idle => self.commit(false),
            Status::InBlock => {
                self.enter(true);
                if let Some(transaction) = &mut self.transaction {
                    transaction.failed = false;
                }
            }
            Status::Failed => {
                self.enter(true);
                self.abort();
            }
        }
    }

    fn apply_setting(&mut self, change: &SessionChange) {
        if change.setting == "database" {
            self.state.database = change.values.first().cloned();
        }
        if change.setting != "search_path" && change.setting != "*" {
            return;
        }
        let path =
            if change.values.is_empty() { self.pinned.clone() } else { path_of(&change.values, &self.login) };
        if change.local {
            self.state.local_path = Some(path);
        } else {
            self.state.local_path = None;
            self.state.path = path;
        }
    }

    fn apply_cursor(&mut self, facts: &Facts) -> Result<(), ScopeFull> {
        match &facts.cursor {
            Some(CursorStep::Declare { name, hold }) => {
                let max = self.bounds.cursors_max;
                if self.state.cursors.len() >= max && !self.state.cursors.contains_key(name) {
                    return Err(ScopeFull { what: "cursors", max });
                }
                let cursor = Cursor { facts: Arc::new(facts.clone()), hold: *hold };
                self.state.cursors.insert(name.clone(), cursor);
            }
            Some(CursorStep::Close { name }) => {
                self.state.cursors.remove(name);
            }
            Some(CursorStep::CloseAll) => self.state.cursors.clear(),
            Some(CursorStep::Fetch { .. } | CursorStep::Move { .. }) | None => {}
        }
        Ok(())
    }
}

fn path_of(values: &[String], login: &str) -> Vec<String> {
    let resolve = |schema: &String| {
        let folded = fold(schema);
        if folded == "$user" { login.to_owned() } else { folded }
    };
    values.iter().map(resolve).filter(|schema| !schema.is_empty()).collect()
}
