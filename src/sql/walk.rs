//! The facts of a query or data-modifying statement, from its whole tree.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Delete, Expr, FromTable, Ident, Insert, Merge, ObjectName, ObjectNamePart, OnInsert, Query, Select,
    SelectFlavor, SelectInto, SetExpr, Statement, TableAlias, TableFactor, TableObject, Update, Visit,
    Visitor,
};

use super::check::{add_missed_calls, check_changes};
use super::effects::Effects;
use super::letters::fold;
use super::lex::Token;
use super::names::{created, doubt, doubt_function, doubt_name, resolve_read, targets};
use super::parse::Tree;
use super::scope::Scope;
use super::{Class, Facts, NotUnderstood, Relation};

/// The facts of a parsed statement; `tokens` are the same statement, to check the tree against.
pub(super) fn walk(tree: &Tree, tokens: &[Token], scope: &Scope) -> Result<Facts, NotUnderstood> {
    let statement = &tree.statement;
    let offset = tokens.first().map_or(0, |token| token.start);
    let mut walk = Walk {
        scope,
        facts: Facts::plain(Class::Read, command(statement)),
        frames: Vec::new(),
        aliases: Vec::new(),
        listed: BTreeSet::new(),
        targets: Vec::new(),
        changes: 0,
        intos: 0,
        froms: 0,
        creates: false,
        locking: false,
        sets: false,
        scans: Some(Vec::new()),
        referenced: BTreeSet::new(),
        effects: Effects::default(),
    };
    if let ControlFlow::Break(reason) = statement.visit(&mut walk) {
        return Err(NotUnderstood { reason, offset });
    }
    let Walk { mut facts, listed, changes, intos, froms, creates, locking, sets, scans, effects, .. } = walk;
    check_changes(tokens, changes, intos)?;
    // The parser takes FROM for a column's name where it expects one.
    if froms != tree.froms {
        return Err(NotUnderstood { reason: "FROM that was not understood".to_owned(), offset });
    }
    add_missed_calls(tokens, &listed, &mut facts);
    effects.settle(tokens, &mut facts);
    if locking {
        facts.locks = facts.reads.clone();
        if facts.locks.iter().any(|lock| lock.is_temp() && scope.is_temp_view(&lock.name)) {
            doubt(&mut facts, "a lock of a temporary view's rows is one of what the view reads");
        }
    }
    if creates {
        facts.class = facts.class.max(Class::Ddl);
        "SELECT INTO".clone_into(&mut facts.command);
    }
    facts.estimable = !facts.reads.is_empty()
        || sets
        || matches!(facts.command.as_str(), "UPDATE" | "DELETE" | "MERGE")
        || ["generate_series", "unnest"].iter().any(|name| facts.functions.contains(*name));
    facts.scans = super::scans::scans(scans, tokens, &facts);
    Ok(facts)
}

fn command(statement: &Statement) -> &'static str {
    match statement {
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        Statement::Merge(_) => "MERGE",
        Statement::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(inner)
            | SetExpr::Update(inner)
            | SetExpr::Delete(inner)
            | SetExpr::Merge(inner) => command(inner),
            _ => "SELECT",
        },
        _ => "SELECT",
    }
}

struct Frame {
    /// The names of its WITH that can be seen where the walk stands.
    visible: BTreeSet<String>,
    /// The names of its WITH by the addresses of their bodies.
    bodies: HashMap<*const Query, String>,
    recursive: bool,
}

struct Walk<'a> {
    scope: &'a Scope,
    facts: Facts,
    frames: Vec<Frame>,
    aliases: Vec<BTreeSet<String>>,
    /// Names that may stand before a bracket without being called.
    listed: BTreeSet<String>,
    /// Targets of UPDATE, DELETE and MERGE, which stand where reads do.
    targets: Vec<*const TableFactor>,
    changes: usize,
    /// Words INTO that the tree accounts for.
    intos: usize,
    /// Words FROM that it accounts for.
    froms: usize,
    creates: bool,
    locking: bool,
    sets: bool,
    /// The relations read, by each place that names one; `None` once rows come from elsewhere.
    scans: Option<Vec<Relation>>,
    /// Names of WITH that were read.
    referenced: BTreeSet<String>,
    effects: Effects,
}

type Flow = ControlFlow<String>;

fn refuse(reason: &str) -> Flow {
    ControlFlow::Break(reason.to_owned())
}

fn parts_of(name: &ObjectName) -> Result<Vec<String>, String> {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) => Ok(ident.value.clone()),
        ObjectNamePart::Function(_) => Err("a name made by a function".to_owned()),
    };
    name.0.iter().map(part).collect()
}

impl Walk<'_> {
    fn is_cte(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.visible.contains(name))
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        if let Some(alias) = alias {
            let name = fold(&alias.name.value);
            self.listed.insert(name.clone());
            if let Some(aliases) = self.aliases.last_mut() {
                aliases.insert(name);
            }
        }
    }

    fn call(&mut self, name: &ObjectName) -> Flow {
        match parts_of(name) {
            Ok(parts) => {
                doubt_name(&parts, &mut self.facts);
                doubt_function(&parts, &mut self.facts);
                self.facts.functions.insert(fold(&parts.join(".")));
                ControlFlow::Continue(())
            }
            Err(reason) => ControlFlow::Break(reason),
        }
    }

    fn read(&mut self, name: &ObjectName) -> Flow {
        let parts = match parts_of(name) {
            Ok(parts) => parts,
            Err(reason) => return ControlFlow::Break(reason),
        };
        if let [bare] = parts.as_slice()
            && self.is_cte(bare)
        {
            if !self.referenced.insert(fold(bare)) {
                self.scans = None;
            }
            return ControlFlow::Continue(());
        }
        let navigates = parts.len() > 3
            && parts.first().is_some_and(|first| {
                let first = fold(first);
                self.aliases.iter().any(|aliases| aliases.contains(&first))
            });
        if !navigates {
            doubt_name(&parts, &mut self.facts);
        }
        if self.unnests(&parts) {
            self.scans = None;
            return ControlFlow::Continue(());
        }
        let read = resolve_read(&parts, self.scope);
        match (&mut self.scans, read.first()) {
            (Some(scans), Some(only)) if read.len() == 1 => scans.push(only.clone()),
            _ => self.scans = None,
        }
        self.facts.reads.extend(read);
        ControlFlow::Continue(())
    }

    /// `FROM t c, c.orders`: the catalog knows no such relation, so it is a column of what is before it.
    fn unnests(&self, parts: &[String]) -> bool {
        let [first, name, ..] = parts else { return false };
        let first = fold(first);
        let aliased = self.aliases.iter().any(|aliases| aliases.contains(&first));
        aliased && self.scope.catalog().is_some_and(|catalog| !catalog.holds(&first, name))
    }

    fn write(&mut self, name: &ObjectName) -> Flow {
        match parts_of(name) {
            Ok(parts) => {
                self.listed.extend(parts.last().map(|name| fold(name)));
                let written = targets(&parts, self.scope, &mut self.facts);
                self.facts.writes.extend(written);
                self.facts.class = self.facts.class.max(Class::Write);
                self.changes += 1;
                ControlFlow::Continue(())
            }
            Err(reason) => ControlFlow::Break(reason),
        }
    }

    fn write_factor(&mut self, factor: &TableFactor) -> Flow {
        match factor {
            TableFactor::Table { name, args: None, alias, .. } => {
                self.targets.push(std::ptr::from_ref(factor));
                self.alias(alias.as_ref());
                self.write(name)
            }
            _ => refuse("a target that is no relation's name"),
        }
    }

    fn insert(&mut self, insert: &Insert) -> Flow {
        let odd = insert.overwrite
            || insert.ignore
            || insert.replace_into
            || insert.or.is_some()
            || insert.partitioned.is_some()
            || insert.settings.is_some()
            || insert.format_clause.is_some()
            || insert.multi_table_insert_type.is_some()
            || !insert.multi_table_into_clauses.is_empty()
            || !insert.multi_table_when_clauses.is_empty()
            || !insert.into
            || matches!(insert.on, Some(OnInsert::DuplicateKeyUpdate(_)));
        self.intos += 1;
        match &insert.table {
            TableObject::TableName(name) if !odd => self.write(name),
            _ => refuse("an INSERT of another server's kind"),
        }
    }

    fn update(&mut self, update: &Update) -> Flow {
        if !update.table.joins.is_empty() || update.or.is_some() {
            return refuse("an UPDATE of another server's kind");
        }
        self.froms += usize::from(update.from.is_some());
        self.write_factor(&update.table.relation)
    }

    fn delete(&mut self, delete: &Delete) -> Flow {
        self.froms += usize::from(matches!(delete.from, FromTable::WithFromKeyword(_)));
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        match from.as_slice() {
            [only] if only.joins.is_empty() && delete.tables.is_empty() => self.write_factor(&only.relation),
            _ => refuse("a DELETE of another server's kind"),
        }
    }

    fn merge(&mut self, merge: &Merge) -> Flow {
        self.intos += usize::from(merge.into);
        self.write_factor(&merge.table)
    }

    fn into(&mut self, into: &SelectInto) -> Flow {
        let names = |target: &Expr| match target {
            Expr::Identifier(ident) => Some(vec![ident.value.clone()]),
            Expr::CompoundIdentifier(idents) => {
                Some(idents.iter().map(|ident: &Ident| ident.value.clone()).collect())
            }
            _ => None,
        };
        let [target] = into.targets.as_slice() else { return refuse("SELECT INTO several targets") };
        let Some(parts) = names(target) else { return refuse("SELECT INTO something other than a name") };
        let made = created(&parts, into.temporary, self.scope, &mut self.facts);
        self.facts.creates.extend(made);
        self.creates = true;
        self.intos += 1;
        ControlFlow::Continue(())
    }
}

impl Visitor for Walk<'_> {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            // Everything else has a grammar of Tollgate's own or none.
            _ => refuse("a statement that is not understood"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if !query.pipe_operators.is_empty() || query.settings.is_some() || query.format_clause.is_some() {
            return refuse("a query of another server's kind");
        }
        self.locking |= !query.locks.is_empty();
        if let Some(parent) = self.frames.last_mut()
            && parent.recursive
            && let Some(name) = parent.bodies.get(&std::ptr::from_ref(query))
        {
            parent.visible.insert(name.clone());
        }
        let mut frame = Frame { visible: BTreeSet::new(), bodies: HashMap::new(), recursive: false };
        if let Some(with) = &query.with {
            frame.recursive = with.recursive;
            if with.recursive {
                self.scans = None;
            }
            for cte in &with.cte_tables {
                let name = cte.alias.name.value.clone();
                doubt_name(std::slice::from_ref(&name), &mut self.facts);
                self.listed.insert(fold(&name));
                frame.bodies.insert(std::ptr::from_ref(cte.query.as_ref()), name);
            }
        }
        self.frames.push(frame);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> Flow {
        self.frames.pop();
        if let Some(parent) = self.frames.last_mut()
            && let Some(name) = parent.bodies.get(&std::ptr::from_ref(query))
        {
            parent.visible.insert(name.clone());
        }
        if let SetExpr::Table(_) = query.body.as_ref() {
            return refuse("a TABLE command");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        let odd = !matches!(select.flavor, SelectFlavor::Standard)
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || select.value_table_mode.is_some()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty();
        if odd {
            return refuse("a query of another server's kind");
        }
        self.froms += usize::from(!select.from.is_empty());
        self.aliases.push(BTreeSet::new());
        match &select.into {
            Some(into) => self.into(into),
            None => ControlFlow::Continue(()),
        }
    }

    fn post_visit_select(&mut self, _: &Select) -> Flow {
        self.aliases.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        if self.targets.iter().any(|target| std::ptr::eq(*target, factor)) {
            return ControlFlow::Continue(());
        }
        let plain = matches!(
            factor,
            TableFactor::Table { args: None, .. }
                | TableFactor::Derived { lateral: false, .. }
                | TableFactor::NestedJoin { .. }
        );
        if !plain {
            self.scans = None;
        }
        match factor {
            TableFactor::Table { version: Some(_), .. } => refuse("a table at another time"),
            TableFactor::Table { name, args, alias, .. } => {
                self.alias(alias.as_ref());
                if args.is_some() {
                    self.sets = true;
                    self.call(name)
                } else {
                    self.read(name)
                }
            }
            TableFactor::Function { name, alias, .. } => {
                self.alias(alias.as_ref());
                self.sets = true;
                self.call(name)
            }
            TableFactor::UNNEST { alias, .. } => {
                self.alias(alias.as_ref());
                self.sets = true;
                self.facts.functions.insert("unnest".to_owned());
                ControlFlow::Continue(())
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::NestedJoin { alias, .. }
            | TableFactor::Pivot { alias, .. }
            | TableFactor::Unpivot { alias, .. }
            | TableFactor::JsonTable { alias, .. }
            | TableFactor::XmlTable { alias, .. } => {
                self.alias(alias.as_ref());
                ControlFlow::Continue(())
            }
            TableFactor::UnpivotExpr { .. } => ControlFlow::Continue(()),
            TableFactor::OpenJsonTable { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::SemanticView { .. } => refuse("a table expression of another server's kind"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        let says_from = matches!(
            expr,
            Expr::Extract { .. }
                | Expr::Trim { trim_what: Some(_), .. }
                | Expr::Overlay { .. }
                | Expr::IsDistinctFrom(..)
                | Expr::IsNotDistinctFrom(..)
        );
        self.froms += usize::from(says_from);
        match expr {
            Expr::Convert { .. } => {
                self.facts.functions.insert("convert".to_owned());
                ControlFlow::Continue(())
            }
            Expr::Function(function) => {
                let flow = self.call(&function.name);
                if let Ok(parts) = parts_of(&function.name) {
                    self.effects.call(&parts.join("."), function);
                }
                flow
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
