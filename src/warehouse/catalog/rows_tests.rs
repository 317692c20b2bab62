use super::*;
use crate::catalog::Catalog;

fn row(fields: &[&str]) -> Vec<u8> {
    let mut body = (fields.len() as u16).to_be_bytes().to_vec();
    for field in fields {
        body.extend_from_slice(&(field.len() as u32).to_be_bytes());
        body.extend_from_slice(field.as_bytes());
    }
    body
}

#[track_caller]
fn take(rows: &mut Rows, fields: &[&str], to: fn(&mut Rows, Row<'_>) -> Result<(), LoadFault>) {
    to(rows, Row::of(&row(fields)).unwrap()).unwrap();
}

fn rows() -> Rows {
    Rows::new("dev", NonZeroUsize::new(100).unwrap())
}

/// What a late-binding view of this definition reads.
fn reads(definition: &str) -> Vec<String> {
    let mut rows = rows();
    take(&mut rows, &["mart", "v", "v", "dbt"], Rows::relation);
    take(&mut rows, &["mart", "v", definition], Rows::late_binding);
    let snapshot = rows.finish(String::new());
    assert!(snapshot.relations[0].late_binding);
    snapshot.relations[0].reads.iter().map(|(schema, name)| format!("{schema}.{name}")).collect()
}

#[test]
fn a_late_binding_view_reads_what_its_definition_names() {
    let whole = "create or replace view mart.v as (select o.id from orders.orders o join \"Users\".users u on u.id = \
        o.user_id where o.id in (select id from spectrum.seen)) with no schema binding;";
    assert_eq!(reads(whole), ["orders.orders", "spectrum.seen", "users.users"]);
    assert_eq!(reads("SELECT * FROM other.public.t"), ["other.public.t"]);
    assert_eq!(reads("WITH o AS (SELECT 1) SELECT * FROM o"), Vec::<String>::new());
}

#[test]
fn a_definition_that_is_not_understood_may_read_anything() {
    for definition in ["", "SELEC 1", "SELECT 1; SELECT 2", "SELECT 'open"] {
        assert_eq!(reads(definition), ["*.*"], "{definition}");
    }
}

#[test]
fn late_binding_views_are_found_among_the_bases_and_survive_cascade() {
    let mut rows = rows();
    take(&mut rows, &["mart", "v", "v", "dbt"], Rows::relation);
    take(&mut rows, &["orders", "orders", "r", "dbt"], Rows::relation);
    take(&mut rows, &["mart", "v", "SELECT * FROM orders.orders"], Rows::late_binding);
    let catalog = Catalog::new(rows.finish(String::new()));
    assert_eq!(catalog.bases("mart", "v").len(), 1);
    assert!(catalog.dependents("orders", "orders").is_empty());
}

#[test]
fn a_snapshot_is_sorted_and_says_each_thing_once() {
    let mut rows = rows();
    take(&mut rows, &["b", "t", "r", "dbt"], Rows::relation);
    take(&mut rows, &["a", "v", "m", "dbt"], Rows::relation);
    take(&mut rows, &["a", "v", "b", "t", "t"], Rows::lineage);
    take(&mut rows, &["a", "v", "a", "s", "f"], Rows::lineage);
    take(&mut rows, &["a", "unknown", "b", "t", "t"], Rows::lineage);
    take(&mut rows, &["a", "v", "two"], Rows::column);
    take(&mut rows, &["a", "v", "one"], Rows::column);
    for _ in 0..2 {
        take(&mut rows, &["lib", "g", "dbt", "sql", "s", "f"], Rows::function);
        take(&mut rows, &["lib", "f", "dbt", "sql", "?", ""], Rows::function);
    }
    let snapshot = rows.finish("now".to_owned());
    let names: Vec<_> = snapshot.relations.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["v", "t"]);
    let view = &snapshot.relations[0];
    assert_eq!(view.columns, ["two", "one"]);
    assert_eq!((view.reads.len(), view.hangs_on.len()), (1, 1));
    let functions = &snapshot.functions;
    assert_eq!(functions.len(), 2);
    assert!(functions[0].security_definer && functions[0].volatility == Volatility::Volatile);
    assert!(!functions[1].security_definer && functions[1].volatility == Volatility::Stable);
}

#[test]
fn more_than_the_bound_is_refused_with_the_settings_name() {
    let mut rows = Rows::new("dev", NonZeroUsize::MIN);
    take(&mut rows, &["a", "t", "r", "dbt"], Rows::relation);
    let fault = rows.relation(Row::of(&row(&["a", "u", "r", "dbt"])).unwrap()).unwrap_err();
    assert!(fault.to_string().contains("bounds.catalog_relations_max"), "{fault}");
    for _ in 0..PARTS_MAX {
        take(&mut rows, &["a", "t", "c"], Rows::column);
    }
    assert!(rows.column(Row::of(&row(&["a", "t", "c"])).unwrap()).is_err());
}
