//! No plan costs more than the ceiling that saves the question: drawn queries, held against EXPLAIN.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::cell::Cell;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use support::House;
use tollgate::catalog::Catalog;
use tollgate::config;
use tollgate::limits::ceiling;
use tollgate::sql::{Scope, ScopeBounds, TextBounds, understand};
use tollgate::warehouse::catalog::load;
use tollgate::warehouse::connect::Warehouse;

const CASES: u32 = 400;

/// From a handful of rows to some megabytes that no sort holds in memory; without indexes and with.
const TABLES: &str = "
    CREATE TABLE orders.few AS SELECT g AS a, g % 3 AS b, 'x' || g AS c FROM generate_series(1, 20) g;
    CREATE TABLE orders.more AS SELECT g AS a, g % 50 AS b, repeat('y', 40) AS c FROM generate_series(1, 5000) g;
    CREATE TABLE orders.many AS SELECT g AS a, g % 1000 AS b, repeat('z', 200) AS c FROM generate_series(1, 60000) g;
    CREATE INDEX ON orders.more (a);
    ANALYZE orders.few; ANALYZE orders.more; ANALYZE orders.many;
";

fn condition() -> impl Strategy<Value = String> {
    let column = || select(vec!["t.a", "t.b", "length(t.c)"]);
    prop_oneof![
        (column(), any::<u16>()).prop_map(|(column, n)| format!("{column} > {n}")),
        (column(), any::<u16>()).prop_map(|(column, n)| format!("{column} IN ({n}, 7, 9)")),
        Just("t.c LIKE '%y%'".to_owned()),
        Just("upper(t.c) <> coalesce(lower(t.c), 'q') OR t.a IS NULL".to_owned()),
        table().prop_map(|table| format!("EXISTS (SELECT 1 FROM {table} e WHERE e.b = t.b)")),
        table().prop_map(|table| format!("t.a NOT IN (SELECT i.a FROM {table} i)")),
    ]
}

fn table() -> impl Strategy<Value = &'static str> {
    select(vec!["orders.few", "orders.more", "orders.many"])
}

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => table().prop_map(|table| format!("{table} t")),
        2 => (table(), table()).prop_map(|(one, other)| format!("{one} t JOIN {other} j ON j.a = t.b")),
        1 => (table(), table()).prop_map(|(one, other)| format!("{one} t LEFT JOIN {other} j ON j.b > t.a")),
        1 => (table(), table()).prop_map(|(one, other)| format!("(SELECT DISTINCT b AS a, a AS b, c FROM {one}) t, {other} j")),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let conditions = proptest::collection::vec(condition(), 0..3);
    let tail = select(vec![
        ("t.a, t.c", ""),
        ("t.a, t.c", "ORDER BY t.c, t.a DESC"),
        ("DISTINCT t.c, t.b", ""),
        ("t.b, count(*), sum(t.a)", "GROUP BY t.b HAVING count(*) > 1 ORDER BY 2"),
        ("t.c, max(t.a), count(DISTINCT t.b)", "GROUP BY t.c"),
        ("t.a, row_number() OVER (PARTITION BY t.b ORDER BY t.c), sum(t.a) OVER (ORDER BY t.a)", ""),
        ("count(*)", ""),
    ]);
    (source(), conditions, tail, any::<bool>()).prop_map(|(source, conditions, (columns, tail), limited)| {
        let conditions = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        let limit = if limited { " LIMIT 100" } else { "" };
        format!("SELECT {columns} FROM {source} WHERE {conditions} {tail}{limit}")
    })
}

fn statement() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => query(),
        1 => query().prop_map(|query| format!("WITH w AS ({}) SELECT * FROM w ORDER BY 1", named(&query))),
        1 => (table(), table()).prop_map(|(one, other)| format!("SELECT a, c FROM {one} UNION SELECT b, c FROM {other} ORDER BY 2")),
        1 => subsequence(vec!["a", "b", "c"], 1..3)
            .prop_map(|columns| format!("SELECT {0} FROM orders.many GROUP BY {0} ORDER BY {0}", columns.join(", "))),
    ]
}

/// Columns that bear no name twice.
fn named(query: &str) -> String {
    query.replacen("count(*), sum(t.a)", "count(*) AS n, sum(t.a) AS s", 1)
}

fn cost(house: &House, sql: &str) -> f64 {
    let plan = house.warehouse("dev", &format!("EXPLAIN {sql}"));
    let (_, from) = plan[0].split_once("..").unwrap();
    from.split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn no_plan_costs_more_than_its_ceiling() {
    let house = House::build();
    house.warehouse("dev", TABLES);
    let config = config::load(&house.config()).unwrap();
    let login = config.upstream.logins.last().unwrap();
    let warehouse = Warehouse::of(&config.upstream).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let snapshot =
        runtime.block_on(load(&warehouse, login, "dev", config.bounds.catalog_relations_max)).unwrap();
    let catalog = Catalog::new(snapshot);
    let bounds = ScopeBounds { prepared_max: 9, cursors_max: 9, temp_relations_max: 9, savepoints_max: 9 };
    let scope = Scope::new("u", "dev", &["orders".to_owned()], bounds);
    let (bounded, closest) = (Cell::new(0_u32), Cell::new(f64::INFINITY));
    let config =
        Config { cases: CASES, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&statement(), |sql| {
        let facts = understand(&sql, &scope, &TextBounds::default()).unwrap().remove(0).facts;
        if let Some(most) = ceiling(&facts, &catalog) {
            let told = cost(&house, &sql);
            bounded.set(bounded.get() + 1);
            closest.set(closest.get().min(most / told));
            if told > most {
                return Err(TestCaseError::fail(format!("EXPLAIN tells {told}, the ceiling is {most}")));
            }
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    println!("{} of {CASES} bounded, the closest ceiling is {:.1} of the cost", bounded.get(), closest.get());
    assert!(bounded.get() > CASES * 3 / 4, "{} bounded", bounded.get());
}
