//! CancelRequests: in every state, and never a statement too late or another session's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::stage::{End, Stage};
use crate::support::client::{Client, Frame, error_in, tags};
use crate::support::say;

const SLEEPING: &str = "wait_event = 'PgSleep'";

fn run(sql: &str) -> Vec<u8> {
    [say::parse("", sql), say::bind("", "", &[]), say::describe(b'P', ""), say::execute("", 0)].concat()
}

fn ask(end: &End<'_>, client: &Client) {
    end.cancel(&client.key.clone());
}

/// Says this, is stopped once it sleeps, and hears up to `readies` ReadyForQuery.
fn stopped(stage: &Stage, end: &End<'_>, client: &mut Client, said: &[u8], readies: usize) -> Vec<Frame> {
    client.send(said).unwrap();
    stage.until(client, SLEEPING);
    ask(end, client);
    (0..readies).flat_map(|_| client.until(b'Z').unwrap()).collect()
}

#[test]
fn a_cancel_stops_what_runs_in_every_state() {
    let stage = Stage::build();
    let sleep = say::query("SELECT pg_sleep(60)");
    stage.alike("idle", |end| {
        let mut client = end.client();
        ask(end, &client);
        ask(end, &client);
        client.query("SELECT 1").unwrap()
    });
    stage.alike("running", |end| {
        let mut client = end.client();
        let mut seen = stopped(&stage, end, &mut client, &sleep, 1);
        seen.extend(client.query("SELECT 1").unwrap());
        seen
    });
    stage.alike("in a transaction", |end| {
        let mut client = end.client();
        client.run("BEGIN; CREATE TEMP TABLE t (a int)");
        ask(end, &client);
        let mut seen = client.query("SELECT 1").unwrap();
        seen.extend(stopped(&stage, end, &mut client, &sleep, 1));
        seen.extend(client.query("SELECT 1").unwrap());
        seen.extend(client.query("ROLLBACK").unwrap());
        seen
    });
    stage.alike("among several statements", |end| {
        let mut client = end.client();
        stopped(&stage, end, &mut client, &say::query("SELECT 1; SELECT pg_sleep(60); SELECT 3"), 1)
    });
    stage.alike("in a portal fetched in pieces", |end| {
        let mut client = end.client();
        client.run("BEGIN");
        let sql = "SELECT n, pg_sleep(CASE WHEN n < 4 THEN 0 ELSE 60 END) FROM generate_series(1, 9) n";
        let first = [say::parse("", sql), say::bind("p", "", &[]), say::execute("p", 2), say::sync()];
        client.send(&first.concat()).unwrap();
        let mut seen = client.until(b'Z').unwrap();
        ask(end, &client);
        client.send(&[say::execute("p", 1), say::sync()].concat()).unwrap();
        seen.extend(client.until(b'Z').unwrap());
        let next = [say::execute("p", 2), say::sync()].concat();
        seen.extend(stopped(&stage, end, &mut client, &next, 1));
        client.send(&next).unwrap();
        seen.extend(client.until(b'Z').unwrap());
        seen
    });
    stage.alike("in a pipeline", |end| {
        let mut client = end.client();
        let said = [
            run("SELECT 1"),
            run("SELECT pg_sleep(60)"),
            run("SELECT 3"),
            say::sync(),
            run("SELECT 4"),
            say::sync(),
        ];
        stopped(&stage, end, &mut client, &said.concat(), 2)
    });
    stage.alike("waiting for a lock", |end| {
        let mut holder = stage.direct().client();
        holder.run("BEGIN; LOCK TABLE sandbox_orders.locked");
        let mut client = end.client();
        client.send(&say::query("SELECT * FROM sandbox_orders.locked")).unwrap();
        stage.until(&client, "wait_event_type = 'Lock'");
        ask(end, &client);
        client.until(b'Z').unwrap()
    });
}

#[test]
fn a_cancel_stops_copies_in_both_directions() {
    let stage = Stage::build();
    for extended in [false, true] {
        let start = |sql: &str| if extended { run(sql) } else { say::query(sql) };
        let end_of = || if extended { say::sync() } else { Vec::new() };
        stage.alike("in", |end| {
            let mut client = end.client();
            client.run("CREATE TEMP TABLE t (a int)");
            let said = [start("COPY t FROM STDIN"), say::flush(), say::copy_data("1\n")].concat();
            client.send(&said).unwrap();
            let mut seen = client.until(b'G').unwrap();
            ask(end, &client);
            let rest = [say::copy_data("2\n"), say::copy_data("3\n"), say::copy_done(), end_of()];
            client.send(&rest.concat()).unwrap();
            seen.extend(client.until(b'Z').unwrap());
            seen.extend(client.query("SELECT count(*) FROM t").unwrap());
            seen
        });
        for sql in [
            "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT",
            "SELECT generate_series(1, 1000000000)",
        ] {
            // The client reads all the while: what it is sent does not keep its request waiting.
            stage.alike(sql, |end| {
                let mut client = end.client();
                client.send(&[start(sql), say::sync()].concat()).unwrap();
                let mut tags = tags(&client.until(if sql.starts_with('C') { b'd' } else { b'D' }).unwrap());
                let (key, end) = (client.key.clone(), *end);
                thread::scope(|scope| {
                    let (port, user) = (end.port, end.user.to_owned());
                    scope.spawn(move || End { port, user: &user, password: "" }.cancel(&key));
                    loop {
                        let frame = client.frame().unwrap().unwrap();
                        if !matches!(frame.tag, b'd' | b'D') {
                            tags.push(frame.tag as char);
                        }
                        if frame.tag == b'E' {
                            assert_eq!(frame.sqlstate(), "57014");
                        }
                        if frame.tag == b'Z' {
                            break;
                        }
                    }
                });
                tags
            });
        }
    }
}

/// Statements of a few milliseconds, each with a cancel that comes before, within or behind it.
const RACES: u64 = 400;

#[test]
fn a_cancel_never_reaches_a_later_statement_nor_another_session() {
    let stage = Stage::build();
    let gate = stage.through();
    let over = AtomicBool::new(false);
    let (port, address) = (gate.port, stage.gate.address);
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            let mut bystander = stage.through().client();
            while !over.load(Ordering::Relaxed) {
                assert!(error_in(&bystander.query("SELECT 1").unwrap()).is_none(), "another's cancel");
            }
        });
        let mut client = gate.client();
        let key = client.key.clone();
        let mut hit = 0_u32;
        for race in 0..RACES {
            let sql = format!("SELECT pg_sleep(0.00{})", race % 4);
            let extended = race % 2 == 0;
            let said = if extended { [run(&sql), say::sync()].concat() } else { say::query(&sql) };
            let asking = (race % 3 != 0).then(|| {
                let key = key.clone();
                scope.spawn(move || End { port, user: "", password: "" }.cancel(&key))
            });
            client.send(&said).unwrap();
            let answered = client.until(b'Z').unwrap();
            match asking {
                Some(asking) => asking.join().unwrap(),
                None => End { port, user: "", password: "" }.cancel(&key),
            }
            hit += u32::from(error_in(&answered).is_some());
            // The one who asked was let go: nothing that is sent from now on is meant.
            let next = client.query("SELECT pg_sleep(0.001)").unwrap();
            assert!(error_in(&next).is_none(), "race {race} at {address}: {next:?}");
        }
        println!("{hit} of {RACES} were stopped");
        assert!(hit > 0);
    });
}

/// Ends the bystander however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
