//! One text's session, as its statements leave it one after another.

use std::collections::BTreeMap;

use pg_query::protobuf::{DiscardMode, OnCommitAction, TransactionStmtKind, VariableSetKind};
use serde_json::Value;

use crate::effects;
use crate::names::{LOGIN, SCHEMA, Session, is_made_temporary, range};
use crate::opinion::{Opinion, Walk, explain_runs, into};
use crate::tree::{constant, flag, items, message, node, number, parts, text};

/// One text's session from statement to statement.
pub(crate) struct Course {
    session: Session,
    /// Where a rollback goes back to.
    committed: Session,
    savepoints: Vec<(String, Session)>,
    prepared: BTreeMap<String, Value>,
}

impl Course {
    pub(crate) fn start() -> Self {
        let session = Session::start();
        Self { committed: session.clone(), session, savepoints: Vec::new(), prepared: BTreeMap::new() }
    }

    pub(crate) fn next(&mut self, statement: &Value) -> Opinion {
        let mut walk = Walk::new(&self.prepared);
        walk.see(statement, &self.session);
        let unsettles = walk.sets_path;
        let opinion = walk.opinion;
        if let Some((kind, body)) = node(statement) {
            self.apply(kind, body);
        }
        if unsettles {
            self.session.path = None;
        }
        opinion
    }

    fn apply(&mut self, kind: &str, statement: &Value) {
        match kind {
            "CreateStmt" => self.make(message(statement, "relation"), number(statement, "oncommit")),
            "CreateTableAsStmt" => self.make_into(message(statement, "into")),
            "SelectStmt" => self.make_into(into(statement)),
            "ExplainStmt" if explain_runs(statement) => {
                if let Some((kind, body)) = message(statement, "query").and_then(node) {
                    self.apply(kind, body);
                }
            }
            "CreateSeqStmt" => self.make(message(statement, "sequence"), 0),
            "ViewStmt" if effects::is_view_temporary(statement, &self.session) => {
                let name = message(statement, "view").map(|view| text(view, "relname").to_owned());
                self.session.temporary.extend(name.map(|name| (name, false)));
            }
            "DropStmt" => self.drop(statement),
            "RenameStmt" => self.rename(statement),
            "DiscardStmt" => self.discard(number(statement, "target")),
            "VariableSetStmt" => self.set(statement),
            "TransactionStmt" => self.transaction(statement),
            "PrepareStmt" => {
                let query = message(statement, "query").cloned().unwrap_or_default();
                self.prepared.insert(text(statement, "name").to_owned(), query);
            }
            "DeallocateStmt" if text(statement, "name").is_empty() => self.prepared.clear(),
            "DeallocateStmt" => {
                self.prepared.remove(text(statement, "name"));
            }
            _ => {}
        }
    }

    fn make_into(&mut self, clause: Option<&Value>) {
        if let Some(clause) = clause {
            self.make(message(clause, "rel"), number(clause, "on_commit"));
        }
    }

    fn make(&mut self, relation: Option<&Value>, on_commit: i32) {
        const DROP: i32 = OnCommitAction::OncommitDrop as i32;
        if let Some(relation) = relation.filter(|relation| is_made_temporary(relation)) {
            self.session.temporary.insert(text(relation, "relname").to_owned(), on_commit == DROP);
        }
    }

    fn drop(&mut self, statement: &Value) {
        for name in items(statement, "objects").iter().map(parts) {
            if self.session.is_temporary(&name)
                && let Some(last) = name.last()
            {
                self.session.temporary.remove(last);
            }
        }
    }

    fn rename(&mut self, statement: &Value) {
        let Some(name) = message(statement, "relation").map(range) else { return };
        let whole = text(statement, "subname").is_empty();
        if whole
            && self.session.is_temporary(&name)
            && let Some(held) = name.last().and_then(|last| self.session.temporary.remove(last))
        {
            self.session.temporary.insert(text(statement, "newname").to_owned(), held);
        }
    }

    fn discard(&mut self, target: i32) {
        if target == DiscardMode::DiscardAll as i32 {
            self.prepared.clear();
            self.session = Session::start();
        } else if target == DiscardMode::DiscardTemp as i32 {
            self.session.temporary.clear();
        }
    }

    fn set(&mut self, statement: &Value) {
        let kind = number(statement, "kind");
        let all = kind == VariableSetKind::VarResetAll as i32;
        if !all && !text(statement, "name").eq_ignore_ascii_case("search_path") {
            return;
        }
        let path = if kind == VariableSetKind::VarSetValue as i32 {
            let given: Option<Vec<_>> = items(statement, "args").iter().map(constant).collect();
            given.map(|given| path_of(&given))
        } else if kind == VariableSetKind::VarSetCurrent as i32 {
            return;
        } else {
            Some(vec![SCHEMA.to_owned()])
        };
        if flag(statement, "is_local") {
            self.session.local_path = Some(path);
        } else {
            self.session.local_path = None;
            self.session.path = path;
        }
    }

    fn transaction(&mut self, statement: &Value) {
        use TransactionStmtKind as Kind;
        let name = text(statement, "savepoint_name");
        match Kind::try_from(number(statement, "kind")).unwrap_or(Kind::Undefined) {
            Kind::TransStmtCommit | Kind::TransStmtPrepare => {
                self.session.temporary.retain(|_, dropped| !*dropped);
                self.end();
            }
            Kind::TransStmtRollback => {
                self.session = self.committed.clone();
                self.end();
            }
            Kind::TransStmtSavepoint => self.savepoints.push((name.to_owned(), self.session.clone())),
            Kind::TransStmtRelease => {
                if let Some(at) = self.savepoints.iter().rposition(|(kept, _)| kept == name) {
                    self.savepoints.truncate(at);
                }
            }
            Kind::TransStmtRollbackTo => {
                if let Some(at) = self.savepoints.iter().rposition(|(kept, _)| kept == name) {
                    self.savepoints.truncate(at + 1);
                    if let Some((_, session)) = self.savepoints.last() {
                        self.session = session.clone();
                    }
                }
            }
            Kind::Undefined
            | Kind::TransStmtBegin
            | Kind::TransStmtStart
            | Kind::TransStmtCommitPrepared
            | Kind::TransStmtRollbackPrepared => {}
        }
    }

    fn end(&mut self) {
        self.session.local_path = None;
        self.savepoints.clear();
        self.committed = self.session.clone();
    }
}

/// The schemas that a `search_path` of these values names.
fn path_of(values: &[&str]) -> Vec<String> {
    let user = |name: &&str| if *name == "$user" { LOGIN.to_owned() } else { (*name).to_owned() };
    values.iter().map(user).filter(|name| !name.is_empty()).collect()
}
