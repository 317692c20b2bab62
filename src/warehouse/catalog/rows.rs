//! Rows of the warehouse's own catalog gathered into a [`Snapshot`].

use std::collections::HashMap;
use std::num::NonZeroUsize;

use super::LoadFault;
use crate::catalog::{FunctionEntry, Key, RelationEntry, RelationKind, Size, Snapshot, Volatility};
use crate::sql::{Relation, Scope, ScopeBounds, TextBounds, understand};
use crate::warehouse::query::Row;

/// Columns and dependencies that a relation may have on the average.
const PARTS_MAX: usize = 64;
/// Functions beside relations.
const FUNCTIONS_MAX: usize = 100_000;
/// One view's definition.
const DEFINITION: TextBounds =
    TextBounds { bytes_max: 1 << 20, depth_max: 200, chain_max: 1_000, queries_max: 1_000 };

/// What has been read so far, within its bounds.
#[derive(Debug)]
pub(super) struct Rows {
    database: String,
    relations_max: usize,
    /// Columns and dependencies that may still come.
    parts_left: usize,
    places: HashMap<Key, usize>,
    relations: Vec<RelationEntry>,
    functions: Vec<FunctionEntry>,
    /// Views that are bound late, with their definitions.
    late: Vec<(usize, String)>,
}

impl Rows {
    pub(super) fn new(database: &str, relations_max: NonZeroUsize) -> Self {
        let relations_max = relations_max.get();
        Self {
            database: database.to_owned(),
            relations_max,
            parts_left: relations_max.saturating_mul(PARTS_MAX),
            places: HashMap::new(),
            relations: Vec::new(),
            functions: Vec::new(),
            late: Vec::new(),
        }
    }

    pub(super) fn relation(&mut self, mut row: Row<'_>) -> Result<(), LoadFault> {
        let (schema, name) = (row.text()?.to_owned(), row.text()?.to_owned());
        let kind = kind_of(row.text()?);
        let owner = row.text()?.to_owned();
        if self.relations.len() >= self.relations_max {
            return Err(LoadFault::TooManyRelations { max: self.relations_max });
        }
        self.places.insert((schema.clone(), name.clone()), self.relations.len());
        self.relations.push(RelationEntry { schema, name, kind, owner, ..RelationEntry::default() });
        Ok(())
    }

    pub(super) fn size(&mut self, mut row: Row<'_>) -> Result<(), LoadFault> {
        let key = (row.text()?.to_owned(), row.text()?.to_owned());
        let (rows, pages) = (row.text()?.parse(), row.text()?.parse());
        if let (Ok(rows), Ok(pages), Some(entry)) = (rows, pages, self.entry(&key)) {
            entry.size = Some(Size { rows, pages });
        }
        Ok(())
    }

    pub(super) fn column(&mut self, mut row: Row<'_>) -> Result<(), LoadFault> {
        let key = (row.text()?.to_owned(), row.text()?.to_owned());
        let column = row.text()?.to_owned();
        self.count_part("columns")?;
        if let Some(entry) = self.entry(&key) {
            entry.columns.push(column);
        }
        Ok(())
    }

    pub(super) fn lineage(&mut self, mut row: Row<'_>) -> Result<(), LoadFault> {
        let key = (row.text()?.to_owned(), row.text()?.to_owned());
        let base = (row.text()?.to_owned(), row.text()?.to_owned());
        let reads = row.text()? == "t";
        self.count_part("dependencies")?;
        if let Some(entry) = self.entry(&key) {
            if reads { &mut entry.reads } else { &mut entry.hangs_on }.push(base);
        }
        Ok(())
    }

    pub(super) fn function(&mut self, mut row: Row<'_>) -> Result<(), LoadFault> {
        let (schema, name) = (row.text()?.to_owned(), row.text()?.to_owned());
        let (owner, language) = (row.text()?.to_owned(), row.text()?.to_owned());
        let volatility = match row.text()? {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        // What is not plainly said not to be, is.
        let security_definer = row.text()? != "f";
        if self.functions.len() >= FUNCTIONS_MAX {
            return Err(LoadFault::TooMany { what: "functions", max: FUNCTIONS_MAX });
        }
        self.functions.push(FunctionEntry { schema, name, owner, language, volatility, security_definer });
        Ok(())
    }

    pub(super) fn late_binding(&mut self, mut row: Row<'_>) -> Result<(), LoadFault> {
        let key = (row.text()?.to_owned(), row.text()?.to_owned());
        let definition = row.text()?.to_owned();
        self.count_part("dependencies")?;
        if let Some(at) = self.places.get(&key) {
            self.late.push((*at, definition));
        }
        Ok(())
    }

    /// The snapshot, sorted. Reads the definitions of views that are bound late.
    pub(super) fn finish(mut self, taken: String) -> Snapshot {
        let scope = Scope::new(
            "",
            &self.database,
            &[],
            ScopeBounds { prepared_max: 1, cursors_max: 1, temp_relations_max: 1, savepoints_max: 1 },
        );
        for (at, definition) in std::mem::take(&mut self.late) {
            if let Some(entry) = self.relations.get_mut(at) {
                entry.late_binding = true;
                entry.reads = reads_of(&definition, &scope);
            }
        }
        for entry in &mut self.relations {
            entry.reads.sort();
            entry.reads.dedup();
            entry.hangs_on.sort();
            entry.hangs_on.dedup();
        }
        self.relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        let order = |entry: &FunctionEntry| {
            let volatility = match entry.volatility {
                Volatility::Immutable => 0,
                Volatility::Stable => 1,
                Volatility::Volatile => 2,
            };
            let names = (entry.schema.clone(), entry.name.clone(), entry.owner.clone());
            (names, entry.language.clone(), volatility, entry.security_definer)
        };
        self.functions.sort_by_cached_key(order);
        // Overloads that differ in their arguments alone.
        self.functions.dedup();
        Snapshot { database: self.database, taken, relations: self.relations, functions: self.functions }
    }

    fn entry(&mut self, key: &Key) -> Option<&mut RelationEntry> {
        self.places.get(key).and_then(|at| self.relations.get_mut(*at))
    }

    fn count_part(&mut self, what: &'static str) -> Result<(), LoadFault> {
        let max = self.relations_max.saturating_mul(PARTS_MAX);
        self.parts_left = self.parts_left.checked_sub(1).ok_or(LoadFault::TooMany { what, max })?;
        Ok(())
    }
}

/// `relkind` of `pg_class`.
fn kind_of(relkind: &str) -> RelationKind {
    match relkind {
        "r" | "p" => RelationKind::Table,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::External,
        "S" => RelationKind::Sequence,
        "i" | "I" => RelationKind::Index,
        _ => RelationKind::Other,
    }
}

/// What a definition reads, by its text: such views name their relations with their schemas.
fn reads_of(definition: &str, scope: &Scope) -> Vec<Key> {
    let (schema, name) = RelationEntry::ANYTHING;
    let anything = || vec![(schema.to_owned(), name.to_owned())];
    let Ok(statements) = understand(definition, scope, &DEFINITION) else { return anything() };
    let [only] = &*statements else { return anything() };
    if !only.facts.doubts.is_empty() {
        return anything();
    }
    only.facts.reads.iter().map(key_of).collect()
}

fn key_of(relation: &Relation) -> Key {
    let schema = match &relation.database {
        Some(database) => format!("{database}.{}", relation.schema),
        None => relation.schema.clone(),
    };
    (schema, relation.name.clone())
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
