//! What a server says unasked: settings, notifications, notices.

use crate::stage::{Stage, process_id};
use crate::support::client::{Client, Frame};
use crate::support::say;

/// A notification without the process id of the one who notified, which differs.
fn nameless(mut frame: Frame) -> Frame {
    if frame.tag == b'A' {
        frame.body[..4].fill(0);
    }
    frame
}

fn answer(client: &mut Client, sql: &str) -> Vec<Frame> {
    client.query(sql).unwrap().into_iter().map(nameless).collect()
}

#[test]
fn settings_that_change_are_told_as_by_the_server() {
    let stage = Stage::build();
    let admin = |sql: &str| stage.direct().client().run(sql);
    for sql in [
        "SET TimeZone TO 'Asia/Tokyo'",
        "SET DateStyle TO 'German'",
        "SET application_name TO 'somebody'",
        "SET IntervalStyle TO 'iso_8601'",
        "SET TimeZone TO 'nowhere'",
        "BEGIN; SET TimeZone TO 'UTC'; ROLLBACK",
        "BEGIN; SET LOCAL TimeZone TO 'UTC'; COMMIT",
        "BEGIN; SET LOCAL TimeZone TO 'UTC'; SAVEPOINT a; SET DateStyle TO 'SQL'; ROLLBACK TO a; COMMIT",
        "SELECT pg_catalog.set_config('datestyle', 'SQL', false)",
        "SELECT set_config('application_name', 'x', false)",
        "RESET ALL",
        "SET TimeZone TO 'CET'; DISCARD ALL",
    ] {
        stage.alike(sql, |end| {
            let mut client = end.client();
            [answer(&mut client, sql), answer(&mut client, "SHOW TimeZone")]
        });
    }
    // The server tells of settings that its own configuration changes, once it is asked anything.
    stage.alike("a reload of the server", |end| {
        let mut client = end.client();
        ["SET TimeZone TO 'Asia/Tokyo'", "RESET TimeZone"].map(|change| {
            admin(&format!("ALTER SYSTEM {change}"));
            admin("SELECT pg_reload_conf()");
            let mut seen = Vec::new();
            crate::support::until("a setting that is told", || {
                seen = answer(&mut client, "SELECT 1");
                seen.iter().any(|frame| frame.tag == b'S')
            });
            seen
        })
    });
}

#[test]
fn notifications_and_notices_come_when_the_server_sends_them() {
    let stage = Stage::build();
    for listening in ["LISTEN news", "BEGIN; LISTEN news; COMMIT"] {
        for notifying in ["NOTIFY news, 'hear'", "SELECT pg_notify('news', '')"] {
            let other = std::cell::RefCell::new(stage.direct().client());
            stage.alike("to one who is idle", |end| {
                let mut client = end.client();
                let mut seen = answer(&mut client, listening);
                other.borrow_mut().query(notifying).unwrap();
                seen.extend(client.until(b'A').unwrap().into_iter().map(nameless));
                seen.extend(answer(&mut client, "SELECT 1; UNLISTEN *"));
                seen
            });
            stage.alike("to one in a block", |end| {
                let mut client = end.client();
                let mut seen = answer(&mut client, listening);
                seen.extend(answer(&mut client, "BEGIN"));
                other.borrow_mut().query(notifying).unwrap();
                seen.extend(answer(&mut client, "SELECT 1"));
                seen.extend(answer(&mut client, "COMMIT"));
                while !seen.iter().any(|frame| frame.tag == b'A') {
                    seen.extend(client.frame().unwrap().map(nameless));
                }
                // It comes before ReadyForQuery or behind it, as it happens.
                seen.retain(|frame| frame.tag != b'Z');
                seen
            });
        }
    }
    stage.alike("to oneself", |end| {
        let mut client = end.client();
        answer(&mut client, "LISTEN me");
        let mut frames = client.query("NOTIFY me, 'one'; NOTIFY me, 'two'").unwrap();
        let own = process_id(&client).to_be_bytes();
        frames.iter_mut().filter(|frame| frame.tag == b'A').for_each(|frame| {
            assert_eq!(frame.body[..4], own);
            frame.body[..4].fill(0);
        });
        frames
    });
    stage.alike("in a pipeline", |end| {
        let mut client = end.client();
        answer(&mut client, "LISTEN me");
        let run = |sql| [say::parse("", sql), say::bind("", "", &[]), say::execute("", 0)].concat();
        client.send(&[run("NOTIFY me"), run("SELECT 1"), say::sync()].concat()).unwrap();
        client.until(b'Z').unwrap().into_iter().map(nameless).collect::<Vec<_>>()
    });
    stage.alike("notices and warnings", |end| {
        let mut client = end.client();
        ["COMMIT", "DROP TABLE IF EXISTS nothing", "BEGIN; BEGIN", "SET LOCAL TimeZone TO 'UTC'"]
            .map(|sql| answer(&mut client, sql))
    });
}
