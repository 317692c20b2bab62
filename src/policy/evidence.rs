//! What the catalog adds to the judgement: views behind names, what CASCADE takes along, what
//! functions are.

use super::decide::{Case, Objection, schema_and_name};
use super::explain;
use super::rule::FunctionDefault;
use super::subject::is_steward;
use crate::catalog::{Catalog, FunctionEntry, RelationKind, Volatility};
use crate::refusal::Code;
use crate::sql::Relation;

/// Languages that compute in the warehouse alone. Redshift runs Python in a cage of its own; functions
/// of models and of services outside have languages that are not among these.
const LANGUAGES: [&str; 5] = ["sql", "plpgsql", "plpythonu", "internal", "c"];

impl Case<'_> {
    /// Rows of what the catalog knows to be no table.
    pub(super) fn views(&self) -> Option<Objection> {
        let catalog = self.basis.catalog?;
        // A materialized view's rows are its query's: no other table is reached.
        if self.facts.command == "REFRESH MATERIALIZED VIEW" {
            return None;
        }
        let written =
            self.facts.writes.iter().filter(|written| !written.is_temp() && written.database.is_none());
        written.filter(|written| self.is_no_table(written, catalog)).map(Objection::through_view).next()
    }

    fn is_no_table(&self, written: &Relation, catalog: &Catalog) -> bool {
        catalog.relations(&written.schema, &written.name).any(|entry| match entry.kind {
            RelationKind::Table => false,
            RelationKind::External => {
                let domain = self.rules.domain_of(&written.schema);
                !domain.is_some_and(|domain| is_steward(domain, self.principal, self.rules))
            }
            RelationKind::View
            | RelationKind::MaterializedView
            | RelationKind::Sequence
            | RelationKind::Index
            | RelationKind::Other => true,
        })
    }

    /// What goes with the dropped must be the principal's too.
    pub(super) fn cascades(&self) -> Option<Objection> {
        if !self.facts.cascades {
            return None;
        }
        let mut dropped = self.facts.alters.iter().filter(|relation| !relation.is_temp());
        dropped.find_map(|dropped| match self.basis.catalog {
            Some(catalog) if self.knows(dropped, catalog) => {
                // A snapshot may be older than what depends on it: it frees nothing by itself.
                self.dependent(dropped, catalog).or_else(|| self.blind_cascade(dropped))
            }
            Some(_) | None => self.blind_cascade(dropped),
        })
    }

    /// The catalog tells of relations; what depends on functions, types and operators it does not say.
    fn knows(&self, dropped: &Relation, catalog: &Catalog) -> bool {
        let of_relations =
            ["TABLE", "VIEW", "SEQUENCE", "SCHEMA"].iter().any(|kind| self.facts.command.ends_with(kind));
        of_relations || catalog.holds(&dropped.schema, &dropped.name)
    }

    fn dependent(&self, dropped: &Relation, catalog: &Catalog) -> Option<Objection> {
        let names = match dropped.name.as_str() {
            "*" => catalog.of_schema(&dropped.schema),
            name => [(dropped.schema.clone(), name.to_owned())].into(),
        };
        names.iter().flat_map(|(schema, name)| catalog.dependents(schema, name)).find_map(|(schema, name)| {
            let dependent = Relation::new(schema, name);
            let own = self.target(&dependent)?;
            Some(explain::dependent(self.facts, dropped, &dependent, own))
        })
    }

    /// Stewards answer for what depends on theirs; others are asked to name it.
    fn blind_cascade(&self, dropped: &Relation) -> Option<Objection> {
        let domain = self.rules.domain_of(&dropped.schema);
        if domain.is_some_and(|domain| is_steward(domain, self.principal, self.rules)) {
            return None;
        }
        let sandbox = domain.and_then(|domain| domain.sandbox.as_ref());
        Some(explain::cascade(self.facts, dropped, sandbox.map(|sandbox| sandbox.place.clone())))
    }

    /// Why a user's function that no list names may not be called; `None` where the catalog vouches for it.
    pub(super) fn unvouched(&self, name: &str) -> Option<String> {
        let catalog = match (self.rules.functions_default, self.basis.catalog) {
            (FunctionDefault::DenyVolatile, Some(catalog)) => catalog,
            (FunctionDefault::DenyVolatile, None) | (FunctionDefault::Deny, _) => {
                return Some("what it does is not known".to_owned());
            }
        };
        let (schema, bare) = schema_and_name(name);
        let mut meant = catalog.functions(schema, bare).peekable();
        if meant.peek().is_none() {
            return Some("the catalog does not know it".to_owned());
        }
        meant.find_map(|function| self.flaw(function))
    }

    fn flaw(&self, function: &FunctionEntry) -> Option<String> {
        let FunctionEntry { schema, name, .. } = function;
        if self.rules.is_sandbox(schema) {
            return Some(format!("{schema}.{name} lives in a sandbox"));
        }
        if function.security_definer {
            return Some(format!("{schema}.{name} runs with its owner's rights"));
        }
        if !LANGUAGES.contains(&function.language.as_str()) {
            return Some(format!(
                "{schema}.{name} is written in `{}`, which may reach outside",
                function.language
            ));
        }
        match function.volatility {
            Volatility::Volatile => Some(format!("{schema}.{name} is volatile, so it may change data")),
            Volatility::Immutable | Volatility::Stable => None,
        }
    }
}

impl Objection {
    fn through_view(view: &Relation) -> Self {
        let refusal = explain::through_view(view);
        Self {
            code: Code::UnlistedWrite,
            rule: None,
            reason: refusal.message.trim_start_matches("tollgate: ").to_owned(),
            hint: refusal.hint.unwrap_or_default(),
        }
    }
}
