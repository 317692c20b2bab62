//! Scripts drawn at random: sequences of messages over a few names and many statements.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::talk::Script;
use crate::support::say;

/// One statement each, without parameters.
const STATEMENTS: [&str; 33] = [
    "SELECT 1",
    "SELECT n, n * 2, 'x' || n FROM generate_series(1, 5) n",
    "SELECT day, total FROM orders.daily ORDER BY day LIMIT 3",
    "SELECT 1 WHERE false",
    "SELECT NULL::int, true, 1.5::numeric, '2026-01-02'::date, 'a'::text",
    "SELECT 1/0",
    "SELECT nope",
    "SELECT * FROM orders.nope",
    "SELECT 'a' + 1",
    "SELECT repeat('x', 20000)",
    "VALUES (1, 'a'), (2, 'b')",
    "",
    " -- nothing",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "SET datestyle TO 'ISO, DMY'",
    "RESET datestyle",
    "SHOW datestyle",
    "SET application_name TO 'someone'",
    "CREATE TEMP TABLE t (a int, b text)",
    "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
    "UPDATE t SET a = a + 1 WHERE a > 1",
    "DELETE FROM t",
    "SELECT a, b FROM t",
    "DROP TABLE IF EXISTS t",
    "DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 5) n",
    "COPY (SELECT n FROM generate_series(1, 3) n) TO STDOUT",
    "INSERT INTO sandbox_orders.kept VALUES (1) RETURNING a",
    "EXPLAIN SELECT 1",
];

/// Several statements in one Query.
const TEXTS: [&str; 8] = [
    "SELECT 1; SELECT 2",
    "SELECT 1; SELECT 1/0; SELECT 3",
    "BEGIN; SELECT 1; COMMIT",
    "BEGIN; SELECT 1",
    "SELECT 1;; ;SELECT 2;",
    "CREATE TEMP TABLE u (a int); INSERT INTO u VALUES (1); SELECT a FROM u; DROP TABLE u",
    "SELECT 1; COPY (SELECT 7) TO STDOUT; SELECT 2",
    "BEGIN; DECLARE d CURSOR FOR SELECT 1; FETCH ALL FROM d; CLOSE d; COMMIT",
];

/// With one parameter.
const PARAMETRIC: [&str; 4] = [
    "SELECT $1::int + 1",
    "SELECT n FROM generate_series(1, $1::int) n",
    "SELECT $1::text, length($1::text)",
    "SELECT 10 / $1::int",
];

const STATEMENT_NAMES: [&str; 3] = ["", "a", "b"];
const PORTAL_NAMES: [&str; 3] = ["", "p", "q"];

fn name(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    select(names)
}

/// Bind with parameters as text or binary, and results as text or binary.
fn bind() -> impl Strategy<Value = Vec<u8>> {
    let formats = select(vec![0_u16, 1]);
    (name(&PORTAL_NAMES), name(&STATEMENT_NAMES), 0..3_u16, formats.clone(), formats).prop_map(
        |(portal, statement, parameters, given, wanted)| {
            let mut body = format!("{portal}\0{statement}\0").into_bytes();
            body.extend_from_slice(&1_u16.to_be_bytes());
            body.extend_from_slice(&given.to_be_bytes());
            let parameters = parameters.min(1);
            body.extend_from_slice(&parameters.to_be_bytes());
            for _ in 0..parameters {
                let value: &[u8] = if given == 1 { &[0, 0, 0, 3] } else { b"3" };
                body.extend_from_slice(&(value.len() as u32).to_be_bytes());
                body.extend_from_slice(value);
            }
            body.extend_from_slice(&1_u16.to_be_bytes());
            body.extend_from_slice(&wanted.to_be_bytes());
            say::message(b'B', &body)
        },
    )
}

/// COPY FROM STDIN by a simple query, ended well or badly.
fn copy_in() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (vec(select(vec!["1\tx\n", "2\ty\n3\tz\n", "no number\tx\n"]), 0..3), any::<bool>()).prop_map(
        |(lines, fails)| {
            let create = say::query("CREATE TEMP TABLE IF NOT EXISTS t (a int, b text)");
            let mut messages = vec![create, say::query("COPY t FROM STDIN")];
            messages.extend(lines.into_iter().map(say::copy_data));
            messages.push(if fails { say::message(b'f', b"enough\0") } else { say::copy_done() });
            messages
        },
    )
}

/// One or more messages that belong together.
fn step() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one = |message: Vec<u8>| vec![message];
    let target = || (any::<bool>(), name(&STATEMENT_NAMES), name(&PORTAL_NAMES));
    let statement = || select(STATEMENTS.as_slice());
    prop_oneof![
        5 => statement().prop_map(move |sql| one(say::query(sql))),
        2 => select(TEXTS.as_slice()).prop_map(move |sql| one(say::query(sql))),
        5 => (name(&STATEMENT_NAMES), statement()).prop_map(move |(name, sql)| one(say::parse(name, sql))),
        2 => (name(&STATEMENT_NAMES), select(PARAMETRIC.as_slice()))
            .prop_map(move |(name, sql)| one(say::parse(name, sql))),
        6 => bind().prop_map(one),
        6 => (name(&PORTAL_NAMES), 0..3_u32).prop_map(move |(name, rows)| one(say::execute(name, rows))),
        3 => target().prop_map(move |(statement, s, p)| {
            one(if statement { say::describe(b'S', s) } else { say::describe(b'P', p) })
        }),
        2 => target().prop_map(move |(statement, s, p)| {
            one(if statement { say::close(b'S', s) } else { say::close(b'P', p) })
        }),
        4 => statement().prop_map(|sql| Script::default().run(sql).messages),
        5 => Just(one(say::sync())),
        1 => Just(one(say::flush())),
        1 => copy_in(),
        1 => select(vec![say::copy_data("1\n"), say::copy_done()]).prop_map(one),
    ]
}

pub fn script() -> impl Strategy<Value = Script> {
    vec(step(), 1..24).prop_map(|steps| Script {
        name: "drawn".to_owned(),
        messages: steps.into_iter().flatten().collect(),
    })
}

/// A script in which `{}` stands for a statement that fails: refused by the gate on one side, by the
/// server on the other. Everything else is allowed to both.
pub fn failing() -> impl Strategy<Value = Vec<(bool, String, u8)>> {
    let statements = select(vec![
        "SELECT 1",
        "SELECT n FROM generate_series(1, 5) n",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "ROLLBACK TO s",
        "SELECT 1/0",
        "{}",
        "{}",
        "{}",
    ]);
    // Whether extended, the statement, and what follows: nothing, Flush or Sync.
    vec((any::<bool>(), statements.prop_map(str::to_owned), 0..3_u8), 1..12)
}

/// The same script with the failing statement in its places.
pub fn failing_with(steps: &[(bool, String, u8)], statement: &str) -> Script {
    let mut script = Script::named("failing");
    for (extended, sql, then) in steps {
        let sql = sql.replace("{}", statement);
        script = if *extended { script.run(&sql) } else { script.query(&sql) };
        script = match then {
            1 => script.flush(),
            2 => script.sync(),
            _ => script,
        };
    }
    script
}
