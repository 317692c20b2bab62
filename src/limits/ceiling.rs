//! What a plan can cost at most, by the sizes of the tables it scans. Pure.
//!
//! PostgreSQL's planner takes the cheapest plan it finds, so that the dearest one that is sure to be
//! among those it weighs (scan everything, join row by row, sort as often as there are words) bounds the
//! cost that EXPLAIN would tell, whatever the literals and parameters are. The prices are the planner's
//! defaults (PostgreSQL, "Planner Cost Constants").

use crate::catalog::{Catalog, RelationKind, Size};
use crate::sql::{Facts, Relation};

const PAGE: f64 = 4.0;
const ROW: f64 = 0.01;
/// An expression of a row; functions and operators of text cost some of the planner's operators.
const TERM: f64 = 0.025;
/// One comparison of a sort, whatever it sorts by.
const COMPARISON: f64 = 0.005;
/// Passes over its pages of a sort that does not fit in memory.
const PASSES: f64 = 2.0;
/// Tables grow between two snapshots.
const GROWTH: f64 = 2.0;

/// `None` where the statement is not plain enough, or reads what the catalog has no size of.
pub fn ceiling(facts: &Facts, catalog: &Catalog) -> Option<f64> {
    let scans = facts.scans.as_ref()?;
    let (terms, sorts) = (scans.terms as f64, scans.sorts as f64);
    let sizes: Option<Vec<Size>> = scans.relations.iter().map(|relation| size(relation, catalog)).collect();
    let sizes = sizes?;
    let rows: f64 = sizes.iter().map(|size| GROWTH * size.rows.max(1) as f64).product();
    let pages: f64 =
        sizes.iter().map(|size| GROWTH * size.pages as f64 * rows / (GROWTH * size.rows.max(1) as f64)).sum();
    let row = ROW + terms * TERM + sorts * COMPARISON * rows.max(2.0).log2();
    let cost = pages * PAGE * (1.0 + PASSES * sorts) + rows * row;
    cost.is_finite().then_some(cost)
}

/// The size of the only table of this name, if it is one.
fn size(relation: &Relation, catalog: &Catalog) -> Option<Size> {
    if relation.database.is_some() {
        return None;
    }
    let mut found = catalog.relations(&relation.schema, &relation.name);
    match (found.next(), found.next()) {
        (Some(only), None) if only.kind == RelationKind::Table => only.size,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{RelationEntry, Snapshot};
    use crate::sql::{Scope, ScopeBounds, TextBounds, understand};

    fn catalog() -> Catalog {
        let entry = |name: &str, kind, size| RelationEntry {
            schema: "orders".into(),
            name: name.into(),
            kind,
            size,
            ..RelationEntry::default()
        };
        let small = Some(Size { rows: 1_000, pages: 10 });
        let relations = vec![
            entry("small", RelationKind::Table, small),
            entry("large", RelationKind::Table, Some(Size { rows: 1_000_000_000, pages: 10_000_000 })),
            entry("unknown", RelationKind::Table, None),
            entry("view", RelationKind::View, small),
        ];
        Catalog::new(Snapshot { relations, ..Snapshot::default() })
    }

    fn of(sql: &str) -> Option<f64> {
        let bounds =
            ScopeBounds { prepared_max: 9, cursors_max: 9, temp_relations_max: 9, savepoints_max: 9 };
        let scope = Scope::new("u", "d", &["orders".to_owned()], bounds);
        let statements = understand(sql, &scope, &TextBounds::default()).unwrap();
        ceiling(&statements[0].facts, &catalog())
    }

    #[test]
    fn small_tables_bound_the_cost_and_large_ones_and_products_raise_it() {
        let one = of("select count(*) from small where a > 5 order by b limit 3").unwrap();
        assert!((40.0..100_000.0).contains(&one), "{one}");
        let two = of("select count(*) from small a join small b on a.x = b.x").unwrap();
        assert!(two > 500.0 * one, "{two}");
        let once = of("with s as (select a from small) select a from s").unwrap();
        assert!((40.0..100_000.0).contains(&once), "{once}");
        assert!(of("select a from large").unwrap() > 1e7);
        assert!(of("select a from small where exists (select 1 from large)").unwrap() > 1e10);
    }

    #[test]
    fn what_may_multiply_otherwise_has_no_ceiling() {
        for sql in [
            "select 1",
            "select a from unknown",
            "select a from view",
            "select generate_series(1, 1000000000) from small",
            "select a from small, generate_series(1, 100) g",
            "with s as (select * from small) select 1 from s, s t, s u",
            "with s as (select * from small) select 1 from s, \"S\" t",
            "with recursive s as (select a from small) select 1 from s",
            "select a from small where a = any($1)",
            "select a from small group by cube(a, b)",
            "select pg_relation_size('x') from small",
            "delete from small",
            "select * from small for update",
            "select * from small s, s.items",
            "values (1)",
        ] {
            assert_eq!(of(sql), None, "{sql}");
        }
    }
}
