//! What a catalog adds.

use std::sync::Arc;

use super::*;
use crate::catalog::{Catalog, RelationEntry, RelationKind, Snapshot};

fn known() -> Arc<Catalog> {
    let relation = |schema: &str, name: &str, kind, reads: &[(&str, &str)]| RelationEntry {
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        owner: "dbt".to_owned(),
        reads: reads.iter().map(|(schema, name)| ((*schema).to_owned(), (*name).to_owned())).collect(),
        ..RelationEntry::default()
    };
    Arc::new(Catalog::new(Snapshot {
        relations: vec![
            relation("orders", "t", RelationKind::Table, &[]),
            relation("orders", "v", RelationKind::View, &[("orders", "t"), ("users", "secrets")]),
            relation("public", "w", RelationKind::View, &[("orders", "v")]),
        ],
        ..Snapshot::default()
    }))
}

#[test]
fn a_catalog_tells_what_is_read_and_never_what_is_written() {
    let mut scope = Scope::new("svc", "dev", &["public".to_owned(), "orders".to_owned()], scope_bounds());
    assert!(scope.go_by(Some(&known())));
    for (text, reads, writes) in [
        ("select * from t", "orders.t", ""),
        ("select * from unknown", "orders.unknown public.unknown", ""),
        ("select * from w", "orders.t orders.v public.w users.secrets", ""),
        ("copy w to stdout", "orders.t orders.v public.w users.secrets", ""),
        ("select * from t x, x.items i, i.parts", "orders.t", ""),
        ("create temp table t (a int); select * from t", "temp.t", ""),
        ("delete from t", "", "orders.t public.t"),
        ("insert into t select * from t", "orders.t", "orders.t public.t"),
    ] {
        let last = understand(text, &scope, &bounds()).unwrap().pop().unwrap().facts;
        assert_eq!((shown(&last.reads).as_str(), shown(&last.writes).as_str()), (reads, writes), "{text}");
    }
    assert!(scope.go_by(None) && !scope.go_by(None));
}
