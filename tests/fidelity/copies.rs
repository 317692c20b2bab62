//! COPY in both protocols, with failures from either side.

use crate::stage::{End, Stage, rest};
use crate::support::client::{Client, Frame};
use crate::support::say;

const TABLE: &str = "CREATE TEMP TABLE t (a int, b text)";
const IN: &str = "COPY t FROM STDIN";
const OUT: &str = "COPY (SELECT n, 'x' FROM generate_series(1, 50) n) TO STDOUT";

/// The ways to start a COPY: by a query, or by the extended protocol.
fn starts(sql: &str) -> [Vec<u8>; 2] {
    [say::query(sql), [say::parse("", sql), say::bind("", "", &[]), say::execute("", 0)].concat()]
}

/// A Sync is needed behind the extended protocol's alone.
fn end_of(start: &[u8]) -> Vec<u8> {
    if start[0] == b'P' { say::sync() } else { Vec::new() }
}

fn begun(end: &End<'_>) -> Client {
    let mut client = end.client();
    client.run(TABLE);
    client
}

/// What is answered to a COPY with these messages behind its start, and to a query after it.
fn copied(end: &End<'_>, start: &[u8], messages: &[Vec<u8>]) -> Vec<Frame> {
    let mut client = begun(end);
    client.send(&[start, &messages.concat(), &end_of(start)].concat()).unwrap();
    let mut frames = client.until(b'Z').unwrap();
    frames.extend(client.query("SELECT count(*), sum(a) FROM t").unwrap());
    frames
}

#[test]
fn rows_are_copied_in_and_fail_as_at_the_server() {
    let stage = Stage::build();
    for start in starts(IN) {
        let row = || say::copy_data("1\tx\n");
        for (name, messages) in [
            ("no rows", vec![say::copy_done()]),
            ("rows", vec![row(), row(), say::copy_done()]),
            ("a row in parts", vec![say::copy_data("1"), say::copy_data("\tx\n2\ty"), say::copy_done()]),
            ("empty data", vec![say::copy_data(""), row(), say::copy_done()]),
            ("the client's failure", vec![row(), say::copy_fail("enough")]),
            ("its failure at once", vec![say::copy_fail("")]),
            ("a bad row", vec![row(), say::copy_data("no\tx\n"), row(), say::copy_done()]),
            ("a row with too few columns", vec![say::copy_data("1\n"), say::copy_done()]),
            ("a Flush and a Sync inside", vec![row(), say::flush(), say::sync(), row(), say::copy_done()]),
        ] {
            stage.alike(name, |end| copied(end, &start, &messages));
        }
        stage.alike("many rows behind an error", |end| {
            let rows: Vec<_> = std::iter::repeat_with(row).take(20_000).collect();
            copied(end, &start, &[&[say::copy_data("no\tx\n")], &rows[..], &[say::copy_done()]].concat())
        });
    }
    stage.alike("behind other statements", |end| {
        let mut client = begun(end);
        let sql = "INSERT INTO t VALUES (7); COPY t FROM STDIN; SELECT sum(a) FROM t";
        client.send(&[say::query(sql), say::copy_data("1\tx\n"), say::copy_done()].concat()).unwrap();
        let mut frames = client.until(b'Z').unwrap();
        client.send(&[say::query(sql), say::copy_fail("no")].concat()).unwrap();
        frames.extend(client.until(b'Z').unwrap());
        frames.extend(client.query("SELECT sum(a) FROM t").unwrap());
        frames
    });
    stage.alike("data that nobody asked for", |end| {
        let mut client = begun(end);
        client.send(&[say::copy_data("1\tx\n"), say::copy_done(), say::copy_fail("x")].concat()).unwrap();
        client.query("SELECT sum(a) FROM t").unwrap()
    });
    stage.alike("another query in its place", |end| {
        let mut client = begun(end);
        client.send(&[say::query(IN), say::query("SELECT 1")].concat()).unwrap();
        rest(&mut client)
    });
}

#[test]
fn rows_are_copied_out_as_from_the_server() {
    let stage = Stage::build();
    for sql in [
        OUT,
        "COPY (SELECT 1/(3 - n) FROM generate_series(1, 5) n) TO STDOUT",
        "COPY (SELECT 1) TO STDOUT (FORMAT binary)",
        "COPY (SELECT 1 WHERE false) TO STDOUT WITH (FORMAT csv, HEADER)",
        "COPY (SELECT nope) TO STDOUT",
    ] {
        for start in starts(sql) {
            stage.alike(sql, |end| copied(end, &start, &[]));
        }
    }
    stage.alike("with limits of rows, which COPY knows not", |end| {
        let mut client = end.client();
        let said = [say::parse("", OUT), say::bind("p", "", &[]), say::execute("p", 2), say::sync()];
        client.send(&said.concat()).unwrap();
        client.until(b'Z').unwrap()
    });
}

#[test]
fn a_copy_that_loses_its_client_or_its_server_leaves_nothing() {
    let stage = Stage::build();
    for start in starts("COPY public.copied FROM STDIN") {
        stage.alike("its client", |end| {
            stage
                .direct()
                .client()
                .run("DROP TABLE IF EXISTS public.copied; CREATE TABLE public.copied (a int)");
            let mut client = end.client();
            client.send(&[&start[..], &say::flush(), &say::copy_data("1\n")].concat()).unwrap();
            client.until(b'G').unwrap();
            let mut watcher = stage.direct().client();
            let asked = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", client_id(&client));
            drop(client);
            crate::support::until("the end of its server", || watcher.value(&asked) == "0");
            watcher.value("SELECT count(*) FROM public.copied")
        });
    }
    for start in starts("COPY (SELECT generate_series(1, 100000000)) TO STDOUT") {
        stage.alike("its client, who does not read", |end| {
            let mut client = end.client();
            client.send(&[&start[..], &end_of(&start)].concat()).unwrap();
            client.until(b'd').unwrap();
            let mut watcher = stage.direct().client();
            let asked = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", client_id(&client));
            drop(client);
            crate::support::until("the end of its server", || watcher.value(&asked) == "0");
        });
    }
    for start in starts(IN) {
        stage.alike("its server", |end| {
            let mut client = begun(end);
            client.send(&[&start[..], &say::flush(), &say::copy_data("1\tx\n")].concat()).unwrap();
            client.until(b'G').unwrap();
            stage.terminate(&client);
            rest(&mut client)
        });
    }
}

fn client_id(client: &Client) -> i32 {
    crate::stage::process_id(client)
}
