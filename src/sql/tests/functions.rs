//! Functions that a statement calls, and what they may do.

use std::sync::Arc;

use super::*;
use crate::catalog::{Catalog, FunctionEntry, Snapshot, Volatility};

#[test]
fn functions_are_found_wherever_they_stand() {
    for text in [
        "select pg_sleep(1)",
        "select * from pg_sleep(1)",
        "select 1 limit (select pg_sleep(1))",
        "select 1 order by pg_sleep(1)",
        "insert into t values (1) returning pg_sleep(1)",
        "create table t (a int default pg_sleep(1))",
        "select a from t where exists (select pg_sleep(1) over ())",
        "call p(pg_sleep(1))",
        "prepare x as select 1; execute x(pg_sleep(1))",
        "explain select pg_sleep(1)",
    ] {
        assert!(last(text).functions.contains("pg_sleep"), "{text}");
    }
    assert!(last("select s.f(1)").functions.contains("s.f"));
}

#[test]
fn risks_are_told_by_name() {
    for name in
        ["lower", "pg_catalog.lower", "listagg", "st_area", "nvl", "date_trunc", "count", "random", "now"]
    {
        assert_eq!(risk(name), FunctionRisk::Harmless, "{name}");
    }
    let effects = [
        "pg_terminate_backend",
        "pg_catalog.set_config",
        "lo_import",
        "query_to_xml",
        "nextval",
        "dblink_exec",
        "x.pg_sleep",
    ];
    for name in effects {
        assert!(matches!(risk(name), FunctionRisk::Effect(_)), "{name}");
    }
    assert_eq!(risk("sandbox.lower"), FunctionRisk::Unknown);
    assert_eq!(risk("f_mine"), FunctionRisk::Unknown);
}

#[test]
fn functions_with_effects_tell_what_they_do_where_literals_say_it() {
    let set = last("select set_config('DateStyle', 'ISO', false)");
    assert_eq!(
        (set.session[0].setting.as_str(), set.session[0].values.as_slice()),
        ("datestyle", &["ISO".to_owned()][..])
    );
    assert_eq!((set.class, set.settled.len()), (Class::Session, 1));
    let pgadmin =
        "select set_config('bytea_output','hex',false) from pg_settings where name = 'bytea_output'";
    assert_eq!(last(pgadmin).session[0].setting, "bytea_output");
    assert_eq!(last("select pg_terminate_backend(41)").signals, [41].into());
    assert_eq!(last("cancel 42 'too long'").signals, [42].into());
    // Otherwise the call itself is what is judged.
    for unsettled in [
        "select set_config('Search_Path', 'orders', false)",
        "select set_config('role', 'bob', false)",
        "select set_config('datestyle', x, false) from t",
        "select set_config('date' || 'style', 'ISO', false)",
        "select set_config('datestyle', 'ISO', false), set_config('role', 'bob', true)",
        "select pg_terminate_backend(pid) from pg_stat_activity",
        "select pg_terminate_backend($1)",
        "select pg_cancel_backend(1), pg_cancel_backend(pid) from t",
        "prepare p as select set_config('datestyle', 'ISO', false)",
        "explain select set_config('datestyle', 'ISO', false)",
    ] {
        let facts = last(unsettled);
        assert!(facts.settled.is_empty() && facts.session.is_empty(), "{unsettled}");
        assert!(!facts.functions.is_empty(), "{unsettled}");
    }
}

#[test]
fn functions_in_definitions_are_named() {
    for (text, function) in [
        ("create index on films ((lower(a)))", "lower"),
        ("create domain d as varchar(3) check (length(value) > 1)", "length"),
        ("create statistics s on date_trunc('day', a), b from t", "date_trunc"),
        ("create table t (name varchar(9)) partition by list (left(name, 1))", "left"),
        ("alter domain d add check (length(value) > 1)", "length"),
        ("select * from unnest(array[1])", "unnest"),
    ] {
        assert_eq!(last(text).functions, [function.to_owned()].into(), "{text}");
    }
    assert_eq!(shown(&last("prepare p as select * into orders.x").alters), "orders.x");
}

#[test]
fn calls_that_look_like_columns_or_built_ins_are_named() {
    for (text, function) in [
        ("select ('orders.numbers'::regclass).nextval", "nextval"),
        ("select (x)[1].pg_sleep from t", "pg_sleep"),
        ("create table t (a int, b text default orders.lower('x'))", "orders.lower"),
        ("select orders.lower('x')", "orders.lower"),
        ("create index i on t (orders.lower(a))", "orders.lower"),
    ] {
        assert!(last(text).functions.contains(function), "{text}: {:?}", last(text).functions);
    }
    assert_eq!(
        last("select (f()).n, (t.a).orderdate, t.lo_orderdate from t").functions,
        ["f".to_owned()].into()
    );
    let own = FunctionEntry {
        schema: "orders".to_owned(),
        name: "log".to_owned(),
        owner: "dbt".to_owned(),
        language: "sql".to_owned(),
        volatility: Volatility::Volatile,
        security_definer: false,
    };
    let functions = vec![own.clone(), FunctionEntry { name: "stamp".to_owned(), ..own }];
    let catalog = Arc::new(Catalog::new(Snapshot { functions, ..Snapshot::default() }));
    let mut scope = Scope::new("svc", "dev", &["orders".to_owned()], scope_bounds());
    scope.go_by(Some(&catalog));
    for (text, function) in [
        ("select log('x'::text)", "orders.log"),
        ("select d.stamp from daily d", "orders.stamp"),
        ("select (d).stamp from daily d", "orders.stamp"),
        ("select case when true then d.stamp else 1 end from daily d", "orders.stamp"),
        ("create table sandbox_orders.x as select d.stamp from orders.daily d", "orders.stamp"),
    ] {
        let facts = understand(text, &scope, &bounds()).unwrap().pop().unwrap().facts;
        assert!(facts.functions.contains(function), "{text}: {:?}", facts.functions);
    }
}
