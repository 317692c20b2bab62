use super::*;

fn key(schema: &str, name: &str) -> Key {
    (schema.to_owned(), name.to_owned())
}

fn entry(schema: &str, name: &str, kind: RelationKind, reads: &[(&str, &str)]) -> RelationEntry {
    RelationEntry {
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        owner: "dbt".to_owned(),
        reads: reads.iter().map(|(schema, name)| key(schema, name)).collect(),
        ..RelationEntry::default()
    }
}

fn function(schema: &str, name: &str) -> FunctionEntry {
    FunctionEntry {
        schema: schema.to_owned(),
        name: name.to_owned(),
        owner: "dbt".to_owned(),
        language: "sql".to_owned(),
        volatility: Volatility::Stable,
        security_definer: false,
    }
}

fn snapshot() -> Snapshot {
    let mut line = entry("orders", "lines", RelationKind::Table, &[]);
    line.hangs_on = vec![key("orders", "Orders")];
    line.columns = vec!["id".to_owned(), "quote \"and\" comma, \u{e9}".to_owned()];
    let mut late = entry("sandbox_orders", "late", RelationKind::View, &[("orders", "orders")]);
    late.late_binding = true;
    Snapshot {
        database: "dev".to_owned(),
        taken: "2026-11-23T00:00:00Z".to_owned(),
        relations: vec![
            line,
            entry("orders", "Orders", RelationKind::Table, &[]),
            entry("orders", "orders", RelationKind::View, &[]),
            late,
            entry("sandbox_orders", "v", RelationKind::View, &[("orders", "Orders")]),
            entry("orders_mart", "w", RelationKind::MaterializedView, &[("sandbox_orders", "v")]),
            entry("loops", "a", RelationKind::View, &[("loops", "b")]),
            entry("loops", "b", RelationKind::View, &[("loops", "a")]),
        ],
        functions: vec![function("lib", "Clean"), function("sandbox_orders", "clean")],
    }
}

#[test]
fn names_that_differ_in_case_alone_are_found_together() {
    let catalog = Catalog::new(snapshot());
    let kinds: Vec<_> = catalog.relations("ORDERS", "orders").map(|entry| entry.kind).collect();
    assert_eq!(kinds, [RelationKind::Table, RelationKind::View]);
    assert!(catalog.holds("orders", "LINES") && !catalog.holds("orders", "nothing"));
    assert_eq!(catalog.functions(None, "clean").count(), 2);
    assert_eq!(catalog.functions(Some("LIB"), "clean").count(), 1);
    assert_eq!(catalog.of_schema("orders"), [key("orders", "lines"), key("orders", "orders")].into());
}

#[test]
fn lineage_goes_through_views_of_views_and_ends_in_circles() {
    let catalog = Catalog::new(snapshot());
    assert_eq!(
        catalog.bases("orders_mart", "w"),
        [key("orders", "orders"), key("sandbox_orders", "v")].into()
    );
    assert_eq!(catalog.bases("orders", "lines"), BTreeSet::new());
    assert_eq!(catalog.dependents("loops", "a"), [key("loops", "b")].into());
}

#[test]
fn cascade_takes_bound_views_and_what_hangs_on_a_table_but_no_late_binding_view() {
    let catalog = Catalog::new(snapshot());
    let taken = [key("orders", "lines"), key("orders_mart", "w"), key("sandbox_orders", "v")];
    assert_eq!(catalog.dependents("orders", "orders"), taken.into());
    assert_eq!(catalog.bases("sandbox_orders", "late"), [key("orders", "orders")].into());
}

#[test]
fn a_snapshot_goes_round_through_its_file_with_a_line_an_entry() {
    let snapshot = snapshot();
    let text = write(&snapshot).unwrap();
    assert_eq!(read(&text).unwrap(), snapshot);
    assert_eq!(text.lines().count(), 5 + snapshot.relations.len() + snapshot.functions.len());
    let empty = Snapshot::default();
    assert_eq!(read(&write(&empty).unwrap()).unwrap(), empty);
}

#[test]
fn another_shape_is_no_snapshot() {
    let text = write(&snapshot()).unwrap();
    let cut = text.get(..text.len() / 2).unwrap();
    let renamed = text.replace("\"owner\"", "\"holder\"");
    let kind = text.replace("materialized_view", "cube");
    for other in ["", "[]", "{}", cut, &renamed, &kind] {
        let told = read(other).unwrap_err().to_string();
        assert!(told.starts_with("this is no catalog snapshot"), "{told}");
    }
}
