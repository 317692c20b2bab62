//! How sessions end: half-closed sockets, goodbyes in the middle, a server that is told to end.

use crate::stage::{End, Stage, rest};
use crate::support::client::Frame;
use crate::support::say;

/// One statement with parameters none, by the extended protocol.
fn run(sql: &str) -> Vec<u8> {
    [say::parse("", sql), say::bind("", "", &[]), say::execute("", 0)].concat()
}

/// What is answered to `said` when the client closes its writing side behind it.
fn half_closed(end: &End<'_>, said: &[u8]) -> Vec<Frame> {
    let mut client = end.client();
    client.send(said).unwrap();
    client.close_write();
    rest(&mut client)
}

#[test]
fn a_client_that_closes_its_writing_side_is_answered_as_by_the_server() {
    let stage = Stage::build();
    let begun = say::query("CREATE TEMP TABLE t (a int); COPY t FROM STDIN");
    for (name, said) in [
        ("nothing", Vec::new()),
        ("a query", say::query("SELECT 1")),
        ("one that takes time", say::query("SELECT n, pg_sleep(0.2) FROM generate_series(1, 3) n")),
        ("a block", say::query("BEGIN; SELECT 1")),
        ("a long answer", say::query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")),
        ("a pipeline", [run("SELECT 1"), run("SELECT 2"), say::sync()].concat()),
        ("a pipeline without its end", [run("SELECT 1"), run("SELECT 2")].concat()),
        ("one that was flushed", [run("SELECT 1"), say::flush()].concat()),
        ("one with an error", [run("SELECT 1/0"), run("SELECT 2")].concat()),
        ("a copy without its end", [begun.clone(), say::copy_data("1\n")].concat()),
        ("a copy", [begun, say::copy_data("1\n"), say::copy_done()].concat()),
        ("half a message", say::query("SELECT 1")[..8].to_vec()),
        ("a query and half a message", [say::query("SELECT 1"), b"Q\0\0".to_vec()].concat()),
    ] {
        stage.alike(name, |end| half_closed(end, &said));
    }
}

#[test]
fn a_goodbye_behind_statements_waits_for_their_answers() {
    let stage = Stage::build();
    let goodbye = say::message(b'X', b"");
    let begun = say::query("CREATE TEMP TABLE t (a int); COPY t FROM STDIN");
    for (name, said) in [
        ("idle", Vec::new()),
        ("a query", say::query("SELECT 1")),
        ("one that takes time", say::query("SELECT n, pg_sleep(0.2) FROM generate_series(1, 3) n")),
        ("a long answer", say::query("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")),
        ("a pipeline", [run("SELECT 1"), say::sync(), run("SELECT 2"), say::sync()].concat()),
        ("a pipeline without its end", run("SELECT 1")),
        ("a copy without its end", [begun, say::copy_data("1\n")].concat()),
    ] {
        stage.alike(name, |end| {
            let mut client = end.client();
            client.send(&[&said[..], &goodbye].concat()).unwrap();
            rest(&mut client)
        });
    }
    stage.alike("what was said before a goodbye is done", |end| {
        stage.direct().client().run("DROP TABLE IF EXISTS public.kept; CREATE TABLE public.kept (a int)");
        let mut client = end.client();
        client.send(&[say::query("INSERT INTO public.kept VALUES (1)"), goodbye.clone()].concat()).unwrap();
        rest(&mut client);
        stage.direct().client().value("SELECT count(*) FROM public.kept")
    });
}

#[test]
fn a_server_that_is_told_to_end_says_so_in_its_own_words() {
    let stage = Stage::build();
    stage.alike("idle", |end| {
        let mut client = end.client();
        stage.terminate(&client);
        rest(&mut client)
    });
    stage.alike("in a block", |end| {
        let mut client = end.client();
        client.run("BEGIN");
        stage.terminate(&client);
        rest(&mut client)
    });
    stage.alike("in the middle of an answer", |end| {
        let mut client = end.client();
        let sql = "SELECT n, repeat('x', 9000), pg_sleep(CASE WHEN n < 4 THEN 0 ELSE 60 END) FROM \
                   generate_series(1, 5) n";
        client.send(&say::query(sql)).unwrap();
        stage.until(&client, "wait_event = 'PgSleep'");
        stage.terminate(&client);
        rest(&mut client)
    });
    stage.alike("in a pipeline", |end| {
        let mut client = end.client();
        client
            .send(&[run("SELECT 1"), run("SELECT pg_sleep(60)"), run("SELECT 3"), say::sync()].concat())
            .unwrap();
        stage.until(&client, "wait_event = 'PgSleep'");
        stage.terminate(&client);
        rest(&mut client)
    });
    stage.alike("while rows are copied in", |end| {
        let mut client = end.client();
        client.run("CREATE TEMP TABLE t (a int)");
        client.send(&[say::query("COPY t FROM STDIN"), say::copy_data("1\n")].concat()).unwrap();
        client.until(b'G').unwrap();
        stage.terminate(&client);
        rest(&mut client)
    });
}
