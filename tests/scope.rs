//! Names mean here what they mean to the server, whatever a transaction did and undid.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{House, refusal};

/// Statements that leave `daily` meaning the official table, by ways that a careless proxy loses track of.
const WAYS: [&[&str]; 9] = [
    &["SET search_path TO orders"],
    &["SET search_path TO orders", "BEGIN", "SET search_path TO sandbox_orders", "ROLLBACK"],
    // The block fails by an error that the estimate meets first.
    &[
        "SET search_path TO orders",
        "BEGIN",
        "SET search_path TO sandbox_orders",
        "SELECT nope FROM daily",
        "COMMIT",
    ],
    &["SET search_path TO orders", "BEGIN", "SET search_path TO sandbox_orders", "SELECT 1/0", "COMMIT"],
    &["SET search_path TO orders", "BEGIN", "SET LOCAL search_path TO sandbox_orders", "COMMIT"],
    &[
        "SET search_path TO orders",
        "BEGIN",
        "SAVEPOINT a",
        "SET search_path TO sandbox_orders",
        "ROLLBACK TO a",
        "COMMIT",
    ],
    &["SET search_path TO orders", "SET search_path TO sandbox_orders; SELECT 1/0"],
    &["SET search_path TO orders", "CREATE TEMP TABLE daily (day int, total int)", "DROP TABLE daily"],
    &["SET search_path TO orders", "BEGIN", "CREATE TEMP TABLE daily (day int, total int)", "ROLLBACK"],
];

#[test]
fn a_bare_name_is_judged_as_the_server_will_read_it() {
    let house = House::build();
    let gate = house.gate();
    house.warehouse("dev", "CREATE TABLE sandbox_orders.daily (day int, total int)");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for way in WAYS {
            let client = gate.connect("analyst").await.unwrap();
            for statement in way {
                let _ = client.simple_query(statement).await;
            }
            let simple = refusal(client.simple_query("INSERT INTO daily VALUES (1, 1)").await);
            assert_eq!(simple.0, "42501", "{way:?}: {simple:?}");
            let extended = refusal(client.execute("DELETE FROM daily", &[]).await);
            assert_eq!(extended.0, "42501", "{way:?}: {extended:?}");
        }
        let client = gate.connect("analyst").await.unwrap();
        client.simple_query("SET search_path TO sandbox_orders").await.unwrap();
        client.simple_query("INSERT INTO daily VALUES (1, 1)").await.unwrap();
    });
    assert_eq!(house.warehouse("dev", "SELECT count(*) FROM orders.daily"), ["500"]);
}

#[test]
fn rows_are_not_changed_through_a_view_of_ones_own() {
    let house = House::build();
    let gate = house.gate();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = gate.connect("analyst").await.unwrap();
        client.simple_query("CREATE VIEW sandbox_orders.v AS SELECT * FROM orders.daily").await.unwrap();
        for statement in [
            "DELETE FROM sandbox_orders.v",
            "UPDATE sandbox_orders.\"v\" SET total = 0",
            "INSERT INTO sandbox_orders.v VALUES (1, 1)",
            "SET search_path TO sandbox_orders; DELETE FROM v",
            "BEGIN; DELETE FROM sandbox_orders.v; COMMIT",
            "CREATE VIEW sandbox_orders.w AS SELECT * FROM orders.daily; DELETE FROM sandbox_orders.w",
            "PREPARE p AS DELETE FROM sandbox_orders.v; EXECUTE p",
            "EXPLAIN ANALYZE DELETE FROM sandbox_orders.v",
            "WITH d AS (DELETE FROM sandbox_orders.v RETURNING *) SELECT * FROM d",
        ] {
            let simple = refusal(client.simple_query(statement).await);
            assert_eq!(simple.0, "42501", "{statement}: {simple:?}");
            let _ = client.simple_query("ROLLBACK").await;
        }
        let extended = refusal(client.execute("DELETE FROM sandbox_orders.v", &[]).await);
        assert_eq!(extended.0, "42501", "{extended:?}");
        let parameters = refusal(client.execute("DELETE FROM sandbox_orders.v WHERE day = $1", &[&1]).await);
        assert_eq!(parameters.0, "42501", "{parameters:?}");
    });
    assert_eq!(house.warehouse("dev", "SELECT count(*), sum(total) FROM orders.daily"), ["500"]);
}

#[test]
fn a_table_is_not_swapped_for_a_view_while_it_is_written() {
    let house = House::build();
    let gate = house.gate();
    house.warehouse("dev", "CREATE TABLE sandbox_orders.x (day int, total int)");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (writer, changer) =
            (gate.connect("analyst").await.unwrap(), gate.connect("analyst").await.unwrap());
        changer.simple_query("BEGIN; DROP TABLE sandbox_orders.x").await.unwrap();
        changer.simple_query("CREATE VIEW sandbox_orders.x AS SELECT * FROM orders.daily").await.unwrap();
        let refused = refusal(writer.simple_query("DELETE FROM sandbox_orders.x").await);
        assert_eq!(refused.0, "53300", "{refused:?}");
        changer.simple_query("COMMIT").await.unwrap();
        let refused = refusal(writer.simple_query("DELETE FROM sandbox_orders.x").await);
        assert_eq!(refused.0, "42501", "{refused:?}");
        let refused = refusal(writer.execute("DELETE FROM sandbox_orders.x", &[]).await);
        assert_eq!(refused.0, "42501", "{refused:?}");
        // Its pipeline is answered to the end, and its claim given back.
        writer.simple_query("SELECT 1").await.unwrap();
        changer.simple_query("DROP VIEW sandbox_orders.x").await.unwrap();
        changer.simple_query("CREATE TABLE sandbox_orders.x (day int, total int)").await.unwrap();
        writer.simple_query("BEGIN; DELETE FROM sandbox_orders.x").await.unwrap();
        let refused = refusal(changer.simple_query("ALTER TABLE sandbox_orders.x RENAME TO y").await);
        assert_eq!(refused.0, "53300", "{refused:?}");
        writer.simple_query("COMMIT").await.unwrap();
        changer.simple_query("ALTER TABLE sandbox_orders.x RENAME TO y").await.unwrap();
    });
    assert_eq!(house.warehouse("dev", "SELECT count(*) FROM orders.daily"), ["500"]);
}
