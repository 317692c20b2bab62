//! A session of tokio-postgres, direct and through a gate: what it sees is the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use support::{House, PASSWORD};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Error, IsolationLevel, NoTls, Row, SimpleQueryMessage};

const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent by the simple and by the extended protocol.
const STATEMENTS: &[&str] = &[
    "DROP TABLE IF EXISTS orders.drivers",
    "CREATE TABLE orders.drivers (id int PRIMARY KEY, name text NOT NULL, amount float8)",
    "INSERT INTO orders.drivers VALUES (1, 'one', 1.5), (2, 'two', NULL)",
    "INSERT INTO orders.drivers VALUES (3, 'three', 0) RETURNING id, name",
    "UPDATE orders.drivers SET amount = 2 WHERE id < 3",
    "UPDATE orders.drivers SET amount = 2 WHERE id = 99",
    "INSERT INTO orders.drivers VALUES (1, 'twice', 0)",
    "INSERT INTO orders.drivers VALUES (9, NULL, 0)",
    "DELETE FROM orders.drivers WHERE id = 3 RETURNING name",
    "SELECT id, name, amount FROM orders.drivers ORDER BY id",
    "SELECT true, NULL::bool",
    "SELECT 1::int2, 2::int4, 3::int8",
    "SELECT 1.5::float4, 'NaN'::float8",
    "SELECT 'text', 'c'::char(3), 'n'::name, 'ünïcödé ☃'::varchar",
    "SELECT '\\x00ff'::bytea",
    "SELECT ARRAY['a', NULL]::text[]",
    "SELECT NULL::text",
    "SELECT 1 AS same, 2 AS same",
    "SELECT g FROM generate_series(1, 3000) g",
    "SELECT repeat('x', 200000)",
    "SELECT 1 WHERE false",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT 1/0",
    "SELECT 'x'::int",
    "SELECT * FROM orders.nowhere",
    "SELECT nothing FROM orders.daily",
    "SELECT 1 / (500 - g) FROM generate_series(1, 1000) g",
    "SHOW standard_conforming_strings",
    "SET statement_timeout = 60000",
    "RESET statement_timeout",
    "EXPLAIN (COSTS OFF) SELECT 1 WHERE false",
    "CREATE TEMP TABLE kept (a int)",
    "INSERT INTO kept SELECT g FROM generate_series(1, 5) g",
    "SELECT sum(a) FROM kept",
    "DROP TABLE kept",
    "BEGIN",
    "BEGIN",
    "SAVEPOINT s",
    "SELECT 1/0",
    "SELECT 1",
    "ROLLBACK TO s",
    "SELECT 2",
    "COMMIT",
    "COMMIT",
    "DROP TABLE orders.drivers",
];

type Seen = Arc<Mutex<Vec<String>>>;

/// A connection, and what each operation on it gave.
struct Played {
    client: Client,
    notices: Seen,
    outcomes: Vec<(String, String)>,
}

impl Played {
    async fn connect(config: &Config) -> Self {
        let (client, mut connection) = config.connect(NoTls).await.unwrap();
        let notices = Seen::default();
        let seen = Arc::clone(&notices);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message {
                    seen.lock().unwrap().push(format!("{} {}", notice.code().code(), notice.message()));
                }
            }
        });
        Self { client, notices, outcomes: Vec::new() }
    }

    fn keep<T: Debug>(&mut self, name: &str, outcome: Result<T, Error>) {
        let outcome = match outcome {
            Ok(found) => format!("{found:?}"),
            Err(error) => told(&error),
        };
        let notices = std::mem::take(&mut *self.notices.lock().unwrap());
        self.outcomes.push((name.to_owned(), format!("{outcome} {notices:?}")));
    }
}

fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!(
            "{} {} {} {:?} {:?} {:?} {:?}",
            error.severity(),
            error.code().code(),
            error.message(),
            error.detail(),
            error.hint(),
            error.position(),
            error.constraint()
        ),
        None => error.to_string(),
    }
}

/// A row by its columns' types and, where this driver reads them, its values.
fn described(row: &Row) -> Vec<String> {
    (0..row.len())
        .map(|at| {
            let column = &row.columns()[at];
            format!("{} {} {}", column.name(), column.type_().oid(), value(row, at))
        })
        .collect()
}

fn value(row: &Row, at: usize) -> String {
    macro_rules! read {
        ($($kind:ident as $rust:ty),+) => {
            match *row.columns()[at].type_() {
                $(Type::$kind => format!("{:?}", row.get::<_, Option<$rust>>(at)),)+
                _ => "unread".to_owned(),
            }
        };
    }
    read!(
        BOOL as bool,
        INT2 as i16,
        INT4 as i32,
        INT8 as i64,
        FLOAT4 as f32,
        FLOAT8 as f64,
        TEXT as String,
        VARCHAR as String,
        BPCHAR as String,
        NAME as String,
        BYTEA as Vec<u8>,
        TEXT_ARRAY as Vec<Option<String>>,
        INT4_ARRAY as Vec<i32>
    )
}

fn messages(found: Vec<SimpleQueryMessage>) -> Vec<String> {
    found
        .into_iter()
        .map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                format!("{:?}", (0..row.len()).map(|at| row.get(at)).collect::<Vec<_>>())
            }
            other => format!("{other:?}"),
        })
        .collect()
}

async fn prepared(
    client: &Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Vec<String>>, Error> {
    let statement = client.prepare(sql).await?;
    let columns =
        statement.columns().iter().map(|column| format!("{} {}", column.name(), column.type_())).collect();
    let types = statement.params().iter().map(Type::to_string).collect();
    let rows = client.query(&statement, parameters).await?;
    Ok([columns, types].into_iter().chain(rows.iter().map(described)).collect())
}

async fn parameters(played: &mut Played) {
    let bytes = vec![0_u8, 255];
    let texts = vec!["a".to_owned(), "b,c".to_owned()];
    let found = prepared(
        &played.client,
        "SELECT $1::bool, $2::int2, $3::int4, $4::int8, $5::float8, $6::text, $7::bytea, $8::text[], $9::int4",
        &[&true, &1_i16, &2_i32, &3_i64, &1.5_f64, &"ü", &bytes, &texts, &None::<i32>],
    )
    .await;
    played.keep("parameters of many types", found);
    let typed = played.client.query_typed("SELECT $1 + 1", &[(&41_i32, Type::INT4)]).await;
    played.keep(
        "types that the client gives",
        typed.map(|rows| rows.iter().map(described).collect::<Vec<_>>()),
    );
    let wrong = played.client.query("SELECT $1::int4", &[&"text"]).await;
    played.keep("a parameter of the wrong type", wrong.map(|rows| rows.len()));
    let one = played.client.query_one("SELECT 1 WHERE false", &[]).await;
    played.keep("one row that is not there", one.map(|row| row.len()));
    let two = played.client.query_opt("VALUES (1), (2)", &[]).await;
    played.keep("one row of two", two.map(|row| row.is_some()));
    let count = played.client.execute("SELECT g FROM generate_series(1, $1) g", &[&7_i32]).await;
    played.keep("a count of rows", count);
}

async fn statements(played: &mut Played) {
    let statement = played.client.prepare("SELECT $1::int4 * 2").await.unwrap();
    let again = future::try_join_all((0..50).map(|n| {
        let (client, statement) = (&played.client, &statement);
        async move { client.query_one(statement, &[&n]).await.map(|row| row.get::<_, i32>(0)) }
    }))
    .await;
    played.keep("fifty at once of one statement", again);
    let mixed = future::join_all(["SELECT 1", "SELECT 1/0", "SELECT 3"].map(|sql| {
        let client = &played.client;
        async move { client.query(sql, &[]).await.map(|rows| rows.len()).map_err(|error| told(&error)) }
    }))
    .await;
    played.keep("an error among three at once", Ok(mixed));
    drop(statement);
    let left = played.client.query_one("SELECT count(*) FROM pg_prepared_statements", &[]).await;
    played.keep("statements are closed when dropped", left.map(|row| described(&row)));
    let several = played.client.prepare("SELECT 1; SELECT 2").await;
    played.keep("several statements in one prepared", several.map(|statement| statement.columns().len()));
    let empty = prepared(&played.client, "", &[]).await;
    played.keep("an empty statement", empty);
    let batch = played.client.batch_execute("SELECT 1; SELECT 2;; SELECT 1/0; SELECT 3").await;
    played.keep("a batch with an error", batch);
    let several =
        played.client.simple_query("SELECT 1 AS a; SELECT 'x' AS b, 2 WHERE false; ; SELECT 3").await;
    played.keep("several results", several.map(messages));
    let enums =
        prepared(&played.client, "SELECT '{1,2}'::int4[], '[1,5)'::int4range, '1 day'::interval", &[]).await;
    played.keep("types that are looked up", enums);
    let looked =
        prepared(&played.client, "SELECT t FROM orders.daily t WHERE day < 3 ORDER BY day", &[]).await;
    played.keep("a composite type that is looked up", looked.map(|rows| rows.len()));
}

async fn copy_in(client: &Client, sql: &str, chunks: Vec<String>) -> Result<u64, Error> {
    let mut sink = pin!(client.copy_in::<_, Bytes>(sql).await?);
    for chunk in chunks {
        sink.send(Bytes::from(chunk)).await?;
    }
    sink.finish().await
}

async fn copies(played: &mut Played, config: &Config) {
    const MAKE: &str = "CREATE TEMP TABLE copied (a int, b text)";
    played.client.batch_execute(MAKE).await.unwrap();
    let rows = (0..5000).map(|n| format!("{n}\trow {n}\n")).collect();
    let found = copy_in(&played.client, "COPY copied FROM STDIN", rows).await;
    played.keep("rows copied in", found);
    let halves = vec!["1,\"a,".into(), "b\"\n".into()];
    let found = copy_in(&played.client, "COPY copied FROM STDIN (FORMAT csv)", halves).await;
    played.keep("a row copied in by halves", found);
    // The driver loses its place after some of these.
    for (sql, chunk) in [
        ("COPY copied FROM STDIN", Some("bad\tx\n")),
        ("COPY orders.nowhere FROM STDIN", Some("1\n")),
        ("COPY copied FROM STDIN", None),
    ] {
        let fresh = Played::connect(config).await;
        fresh.client.batch_execute(MAKE).await.unwrap();
        let found = match chunk {
            Some(chunk) => copy_in(&fresh.client, sql, vec![chunk.to_owned()]).await,
            None => fresh.client.copy_in::<_, Bytes>(sql).await.map(|_| 0),
        };
        played.keep(&format!("{chunk:?} to {sql}"), found);
        let after = fresh.client.query_one("SELECT count(*) FROM copied", &[]).await;
        played.keep("after it", after.map(|row| described(&row)));
    }
    for sql in [
        "COPY (SELECT * FROM copied ORDER BY a, b) TO STDOUT",
        "COPY (SELECT a, b FROM copied ORDER BY a, b LIMIT 10) TO STDOUT (FORMAT binary)",
        "COPY (SELECT 1 / (50 - g) FROM generate_series(1, 100) g) TO STDOUT",
    ] {
        let found = match played.client.copy_out(sql).await {
            Ok(stream) => stream.map_ok(|chunk| chunk.to_vec()).try_concat().await,
            Err(error) => Err(error),
        };
        played.keep(sql, found);
    }
}

async fn transactions(played: &mut Played) {
    let mut outcomes = Vec::new();
    let client = &mut played.client;
    let mut transaction = client.transaction().await.unwrap();
    transaction.execute("CREATE TEMP TABLE inside (a int)", &[]).await.unwrap();
    let savepoint = transaction.transaction().await.unwrap();
    outcomes
        .push(savepoint.execute("INSERT INTO inside VALUES ('x')", &[]).await.map_err(|error| told(&error)));
    outcomes.push(savepoint.execute("SELECT 1", &[]).await.map_err(|error| told(&error)));
    savepoint.rollback().await.unwrap();
    outcomes
        .push(transaction.execute("INSERT INTO inside VALUES (1)", &[]).await.map_err(|error| told(&error)));
    let portal = transaction.bind("SELECT g FROM generate_series(1, 100) g", &[]).await.unwrap();
    for rows in [10, 0, 5] {
        let found = transaction.query_portal(&portal, rows).await;
        outcomes.push(found.map(|rows| rows.len() as u64).map_err(|error| told(&error)));
    }
    drop(portal);
    transaction.commit().await.unwrap();
    let dropped = client.transaction().await.unwrap();
    dropped.execute("INSERT INTO inside VALUES (2)", &[]).await.unwrap();
    drop(dropped);
    let read_only =
        client.build_transaction().isolation_level(IsolationLevel::Serializable).read_only(true).start();
    let read_only = read_only.await.unwrap();
    outcomes
        .push(read_only.execute("CREATE TABLE orders.no (a int)", &[]).await.map_err(|error| told(&error)));
    drop(read_only);
    played.keep("transactions, a savepoint and a portal", Ok(outcomes));
    let left = played.client.query_one("SELECT count(*) FROM inside", &[]).await;
    played.keep("a dropped transaction is taken back", left.map(|row| described(&row)));
}

async fn streams_and_cancels(played: &mut Played) {
    let stream =
        played.client.query_raw("SELECT 1 / (500 - g) FROM generate_series(1, 1000) g", Vec::<i32>::new());
    let found: Result<Vec<Row>, Error> = stream.await.unwrap().try_collect().await;
    played.keep("a stream that fails late", found.map(|rows| rows.len()));
    let rows = played.client.query_raw("SELECT g FROM generate_series(1, 50000) g", Vec::<i32>::new());
    let mut stream = Box::pin(rows.await.unwrap());
    let first = stream.next().await.unwrap();
    drop(stream);
    played.keep("the first row of a stream that is left", first.map(|row| described(&row)));
    let token = played.client.cancel_token();
    let found = {
        let mut long = pin!(played.client.query("SELECT count(*) FROM generate_series(1, 100000000)", &[]));
        let early = tokio::time::timeout(Duration::from_millis(300), &mut long).await;
        assert!(early.is_err(), "the statement ended on its own");
        token.cancel_query(NoTls).await.unwrap();
        long.await
    };
    played.keep("a statement that is cancelled", found.map(|rows| rows.len()));
    let sound = played.client.check_connection().await;
    played.keep("the connection is sound", sound);
}

async fn play(config: &Config) -> Vec<(String, String)> {
    let mut played = Played::connect(config).await;
    for (at, sql) in STATEMENTS.iter().enumerate() {
        let found = played.client.simple_query(sql).await.map(messages);
        played.keep(&format!("simple {at}: {sql}"), found);
    }
    for (at, sql) in STATEMENTS.iter().enumerate() {
        let found = prepared(&played.client, sql, &[]).await;
        played.keep(&format!("prepared {at}: {sql}"), found);
    }
    parameters(&mut played).await;
    statements(&mut played).await;
    copies(&mut played, config).await;
    transactions(&mut played).await;
    streams_and_cancels(&mut played).await;
    played.outcomes
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

#[tokio::test]
async fn a_session_gives_what_it_gives_directly() {
    let house = tokio::task::spawn_blocking(House::build).await.unwrap();
    let gate = house.gate();
    let mut config = Config::new();
    config.host("127.0.0.1").port(gate.address.port()).user("steward").password(PASSWORD).dbname("dev");
    let direct = within(play(&house.postgres.superuser_config("dev"))).await;
    let through = within(play(&config)).await;
    assert!(direct.len() >= 60, "{} operations", direct.len());
    assert_eq!(direct.len(), through.len());
    let differing: Vec<_> =
        direct.iter().zip(&through).filter(|(direct, through)| direct != through).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

/// Ways to come upon a refusal, and what is sent after it.
async fn recover(config: Config, bad: &str) -> Vec<(String, String)> {
    let mut played = Played::connect(&config).await;
    let found = future::join_all(["SELECT 1", bad, "SELECT 3"].map(|sql| {
        let client = &played.client;
        async move { client.query(sql, &[]).await.map(|rows| rows.len()).is_ok() }
    }))
    .await;
    played.keep("among three at once", Ok(found));
    played.client.batch_execute("CREATE TEMP TABLE left_behind (a int)").await.unwrap();
    let batch = format!("INSERT INTO left_behind VALUES (1); {bad}; INSERT INTO left_behind VALUES (2)");
    let found = played.client.batch_execute(&batch).await.is_err();
    played.keep("in a batch", Ok(found));
    let mut transaction = played.client.transaction().await.unwrap();
    let savepoint = transaction.transaction().await.unwrap();
    let mut found = vec![
        savepoint.execute("INSERT INTO left_behind VALUES (3)", &[]).await.is_ok(),
        savepoint.execute(bad, &[]).await.is_ok(),
    ];
    let after = savepoint.execute("SELECT 1", &[]).await.unwrap_err();
    savepoint.rollback().await.unwrap();
    found.push(transaction.execute("INSERT INTO left_behind VALUES (4)", &[]).await.is_ok());
    found.push(transaction.prepare(bad).await.is_ok());
    let commit = transaction.commit().await.is_ok();
    played.keep("in a savepoint", Ok((found, told(&after), commit)));
    let left = played.client.query("SELECT a FROM left_behind ORDER BY a", &[]).await;
    played.keep("what is left", left.map(|rows| rows.iter().map(described).collect::<Vec<_>>()));
    played.outcomes
}

#[tokio::test]
async fn a_refusal_leaves_what_an_error_of_the_server_leaves() {
    let house = tokio::task::spawn_blocking(House::build).await.unwrap();
    let gate = house.gate();
    let mut config = Config::new();
    config.host("127.0.0.1").port(gate.address.port()).user("analyst").password(PASSWORD).dbname("dev");
    let failed =
        within(recover(house.postgres.superuser_config("dev"), "SELECT * FROM orders.nowhere")).await;
    let refused = within(recover(config, "DELETE FROM orders.daily")).await;
    assert_eq!(failed, refused);
}
