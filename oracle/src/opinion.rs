//! What PostgreSQL's parse tree says that a text does.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pg_query::ParserOptions;
use pg_query::protobuf::VariableSetKind;
use serde_json::Value;
use tollgate::sql::Class;

use crate::course::Course;
use crate::names::{Place, Session, made, range};
use crate::tree::{body, constant, flag, items, message, number, parts_in, string, text, visit};
use crate::{class, effects};

/// What one statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    pub class: Class,
    /// Made, changed, dropped, locked.
    pub touches: BTreeSet<Place>,
    pub reads: BTreeSet<Place>,
    /// The last parts of the names of the functions called.
    pub functions: BTreeSet<String>,
    /// The settings changed, `*` for all.
    pub settings: BTreeSet<String>,
}

/// How a server reads a backslash in an ordinary string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As itself: PostgreSQL.
    Standard,
    /// As an escape: Redshift, PostgreSQL with `standard_conforming_strings` off.
    Escapes,
}

/// The opinion on each statement of a text, or why PostgreSQL does not parse it.
pub fn opinions(sql: &str, reading: Reading) -> Result<Vec<Opinion>, String> {
    let options = match reading {
        Reading::Standard => ParserOptions::DEFAULT,
        Reading::Escapes => ParserOptions::DISABLE_STANDARD_CONFORMING_STRINGS,
    };
    // The binding's own summary of the tree gives up on a few shapes by a panic.
    let parsed = catch_unwind(AssertUnwindSafe(|| pg_query::parse(sql, options)))
        .map_err(|_| "the binding gave up".to_owned())?
        .map_err(|error| error.to_string())?;
    let tree = serde_json::to_value(&parsed.protobuf).map_err(|error| error.to_string())?;
    let mut course = Course::start();
    Ok(items(&tree, "stmts")
        .iter()
        .filter_map(|raw| message(raw, "stmt"))
        .map(|statement| course.next(statement))
        .collect())
}

/// A query's INTO, in whichever branch of a UNION.
pub(crate) fn into(select: &Value) -> Option<&Value> {
    message(select, "into_clause")
        .or_else(|| message(select, "larg").and_then(into))
        .or_else(|| message(select, "rarg").and_then(into))
}

/// Gathers what one statement does, wherever in its tree.
pub(crate) struct Walk<'a> {
    prepared: &'a BTreeMap<String, Value>,
    pub(crate) opinion: Opinion,
    /// The path is set by a function.
    pub(crate) sets_path: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(prepared: &'a BTreeMap<String, Value>) -> Self {
        let opinion = Opinion {
            class: Class::Read,
            touches: BTreeSet::new(),
            reads: BTreeSet::new(),
            functions: BTreeSet::new(),
            settings: BTreeSet::new(),
        };
        Self { prepared, opinion, sets_path: false }
    }

    pub(crate) fn see(&mut self, tree: &Value, session: &Session) {
        let mut common = BTreeSet::new();
        visit(tree, &mut |kind, body| {
            if kind == "CommonTableExpr" {
                common.insert(text(body, "ctename").to_owned());
            }
            true
        });
        visit(tree, &mut |kind, body| self.node(kind, body, session, &common));
    }

    /// Notes one node; whether to go on below it.
    fn node(&mut self, kind: &str, body: &Value, session: &Session, common: &BTreeSet<String>) -> bool {
        if let Some(class) = class::of(kind, body) {
            self.opinion.class = self.opinion.class.max(class);
        }
        self.opinion.touches.extend(effects::of(kind, body, session));
        match kind {
            "SelectStmt" => self.select(body, session, common),
            "CreateTableAsStmt" => self.makes(message(body, "into"), session),
            "CopyStmt" => self.read_of(message(body, "relation"), session, common),
            "RangeVar" => self.read_of(Some(body), session, common),
            "FuncCall" => self.function(body),
            "VariableSetStmt" => self.setting(body),
            "ExplainStmt" => return explain_runs(body),
            "ExecuteStmt" => self.execute(body, session),
            "CreateSchemaStmt" => return self.schema(body, session, common),
            // Their lists name what they touch, not what they read.
            "TruncateStmt"
            | "LockStmt"
            | "AlterTableStmt"
            | "CreateForeignTableStmt"
            | "GrantStmt"
            | "LockingClause"
            | "ConstraintsSetStmt" => return false,
            "CreateStmt" => return items(body, "inh_relations").is_empty(),
            _ => {}
        }
        true
    }

    fn select(&mut self, select: &Value, session: &Session, common: &BTreeSet<String>) {
        self.makes(into(select), session);
        let locks = !items(select, "locking_clause").is_empty();
        if locks {
            for relation in items(select, "from_clause").iter().filter_map(|item| body(item, "RangeVar")) {
                let name = range(relation);
                let all = items(select, "locking_clause").iter().any(|clause| {
                    body(clause, "LockingClause").is_some_and(|c| items(c, "locked_rels").is_empty())
                });
                if all && !is_common(&name, common) && !is_catalog(&name) {
                    self.opinion.touches.extend(session.existing(&name));
                }
            }
        }
    }

    fn makes(&mut self, clause: Option<&Value>, session: &Session) {
        if let Some(relation) = clause.and_then(|clause| message(clause, "rel")) {
            self.opinion.class = self.opinion.class.max(Class::Ddl);
            self.opinion.touches.extend(made(relation, session));
        }
    }

    fn read_of(&mut self, relation: Option<&Value>, session: &Session, common: &BTreeSet<String>) {
        let Some(name) = relation.map(range) else { return };
        if !is_common(&name, common) && !is_catalog(&name) {
            self.opinion.reads.extend(session.existing(&name));
        }
    }

    fn function(&mut self, call: &Value) {
        const BY_NAME: i32 = pg_query::protobuf::CoercionForm::CoerceExplicitCall as i32;
        let name = parts_in(call, "funcname").pop().unwrap_or_default();
        let first = items(call, "args").first().and_then(constant).map(str::to_lowercase);
        self.sets_path |= name == "set_config" && first.is_none_or(|setting| setting == "search_path");
        // LIKE … ESCAPE and SIMILAR TO, as the grammar spells them.
        let spelled = name == "like_escape" || name == "similar_to_escape";
        if number(call, "funcformat") == BY_NAME && !spelled {
            self.opinion.functions.insert(name.to_lowercase());
        }
    }

    fn setting(&mut self, statement: &Value) {
        let kind = number(statement, "kind");
        if kind == VariableSetKind::VarResetAll as i32 {
            self.opinion.settings.insert("*".to_owned());
        } else if kind != VariableSetKind::VarSetMulti as i32 {
            self.opinion.settings.insert(text(statement, "name").to_lowercase());
        }
    }

    fn execute(&mut self, statement: &Value, session: &Session) {
        match self.prepared.get(text(statement, "name")) {
            Some(query) => self.see(query, session),
            None => self.opinion.class = Class::Unknown,
        }
    }

    /// What is made together with a schema is made in it.
    fn schema(&mut self, statement: &Value, session: &Session, common: &BTreeSet<String>) -> bool {
        let name = text(statement, "schemaname");
        let role = message(statement, "authrole").map_or("", |role| text(role, "rolename"));
        let inside = session.inside(if name.is_empty() { role } else { name });
        for element in items(statement, "schema_elts") {
            visit(element, &mut |kind, body| self.node(kind, body, &inside, common));
        }
        false
    }
}

fn is_common(name: &[String], common: &BTreeSet<String>) -> bool {
    matches!(name, [name] if common.contains(name))
}

/// The server's own relations, PostgreSQL's and Redshift's, stand before those on the path.
fn is_catalog(name: &[String]) -> bool {
    let prefixes = ["pg_", "stl_", "stv_", "svl_", "svv_", "svcs_", "sys_"];
    matches!(name, [name] if prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

/// Whether EXPLAIN runs what it explains.
pub(crate) fn explain_runs(statement: &Value) -> bool {
    let mut runs = false;
    for option in items(statement, "options").iter().filter_map(|option| body(option, "DefElem")) {
        if text(option, "defname") == "analyze" {
            runs = message(option, "arg").is_none_or(is_true);
        }
    }
    runs
}

fn is_true(value: &Value) -> bool {
    let word = string(value).map(str::to_lowercase);
    body(value, "Integer").is_some_and(|integer| number(integer, "ival") == 1)
        || body(value, "Boolean").is_some_and(|boolean| flag(boolean, "boolval"))
        || word.is_some_and(|word| word == "true" || word == "on")
}
