//! What fails around the gate is told to the client it concerns, and to nobody else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use support::client::{Client, NoSession, error_in, tags};
use support::relay::relay;
use support::{House, PASSWORD, say, until};

fn client(house: &House, user: &str) -> Client {
    Client::log_in(house.port, user, PASSWORD, "dev").unwrap()
}

#[track_caller]
fn still_serves(house: &House) {
    assert_eq!(client(house, "analyst").value("SELECT count(*) FROM orders.daily"), "500");
}

/// A control connection past the gate.
fn superuser(house: &House) -> Client {
    let postgres = &house.postgres;
    Client::log_in(postgres.port(), postgres.superuser(), postgres.password().expose(), "dev").unwrap()
}

/// Waits until the warehouse runs a statement with this text.
#[track_caller]
fn await_running(control: &mut Client, text: &str) {
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
         AND query LIKE '%{text}%' AND query NOT LIKE 'EXPLAIN%'"
    );
    until("the statement upstream", || control.value(&count) != "0");
}

#[test]
fn a_frame_of_three_gibibytes_ends_its_session_by_its_length_alone() {
    let house = House::build();
    let _gate = house.gate();
    for tag in *b"QPBEDCdSpX" {
        let mut client = client(&house, "analyst");
        let mut frame = vec![tag];
        frame.extend_from_slice(&(3_u32 << 30).to_be_bytes());
        frame.extend_from_slice(b"SELECT 1\0");
        client.send(&frame).unwrap();
        let told = client.frame().unwrap();
        let told = told.unwrap_or_else(|| panic!("`{}` ended without a word", tag as char));
        assert_eq!((told.tag, told.sqlstate().as_str()), (b'E', "08P01"), "`{}`: {told:?}", tag as char);
        assert!(client.rest().is_empty());
    }
    still_serves(&house);
}

#[test]
fn bytes_behind_an_ssl_request_are_not_taken_for_encrypted_ones() {
    let house = House::build();
    let certs = house.dir.path().join("certs");
    let made = Command::new(env!("CARGO_BIN_EXE_tollgate")).arg("certs").arg(certs).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let config = std::fs::read_to_string(house.config()).unwrap();
    let tls = "tls: { certificate: certs/server.crt, key: certs/server.key, required: false }";
    std::fs::write(house.config(), config.replacen("tls: off", tls, 1)).unwrap();
    let _gate = house.gate();
    let startup = say::startup(say::PROTOCOL_3_0, "analyst", "dev");
    let mut early = Client::connect(house.port).unwrap();
    early.send(&[say::packet(say::SSL_REQUEST, b""), startup].concat()).unwrap();
    assert!(early.rest().is_empty());
    let mut patient = Client::connect(house.port).unwrap();
    patient.send(&say::packet(say::SSL_REQUEST, b"")).unwrap();
    patient.close_write();
    assert_eq!(patient.rest().first(), Some(&b'S'));
    still_serves(&house);
}

#[test]
fn an_upstream_that_was_down_is_served_again_by_the_same_gate() {
    let house = House::build();
    let place = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    house.write_files("127.0.0.1", address.port());
    let _gate = house.gate();
    match Client::log_in(house.port, "analyst", PASSWORD, "dev") {
        Err(NoSession::Refused(told)) => assert_eq!(told.sqlstate(), "08001", "{told:?}"),
        Err(NoSession::Lost(error)) => panic!("lost without a word: {error}"),
        Ok(_) => panic!("a session without a warehouse"),
    }
    relay(TcpListener::bind(address).unwrap(), house.postgres.port());
    still_serves(&house);
}

/// A server cannot say a last word on a connection that is full: the gate says it, behind whole rows.
#[test]
fn an_upstream_that_ends_within_a_row_is_told_as_an_error() {
    let house = House::build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    house.write_files("127.0.0.1", listener.local_addr().unwrap().port());
    let row = say::message(b'D', b"\0\x01\0\0\0\x011");
    let half = row[..8].to_vec();
    let upstream = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 8);
        let key = say::message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]);
        let welcome = [say::message(b'R', &[0; 4]), key, say::message(b'Z', b"I")];
        stream.write_all(&welcome.concat()).unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(&[say::message(b'T', b"\0\0"), row, half].concat()).unwrap();
    });
    let _gate = house.gate();
    let mut client = client(&house, "steward");
    client.send(&say::query("SELECT 1")).unwrap();
    let frames = client.until(b'E').unwrap();
    assert_eq!(tags(&frames), "TDE");
    assert_eq!(frames[2].sqlstate(), "08006");
    assert!(client.rest().is_empty());
    upstream.join().unwrap();
}

#[test]
fn an_upstream_session_that_is_terminated_in_mid_result_ends_alone() {
    let house = House::build();
    let _gate = house.gate();
    let mut other = client(&house, "analyst");
    let mut client = client(&house, "steward");
    let rows = "SELECT n, repeat('x', 1000) FROM generate_series(1, 100000000) n";
    client.send(&say::query(rows)).unwrap();
    let begun: Vec<u8> = (0..1000).map(|_| client.frame().unwrap().unwrap().tag).collect();
    assert_eq!(begun[..2], *b"TD");
    let pid = u32::from_be_bytes(client.key[..4].try_into().unwrap());
    assert_eq!(superuser(&house).value(&format!("SELECT pg_terminate_backend({pid})")), "t");
    let told = client.until(b'E').unwrap().pop().unwrap();
    assert!(["57P01", "08006"].contains(&told.sqlstate().as_str()), "{told:?}");
    assert!(client.rest().is_empty());
    assert_eq!(other.value("SELECT 7"), "7");
    still_serves(&house);
}

/// A small disk of its own under the audit; unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` where mounting is not ours to do.
    fn under(path: &std::path::Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(path);
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(path.to_owned()))
    }

    /// Leaves no room; the answer is what to remove to make some.
    fn fill(&self) -> std::path::PathBuf {
        let filler = self.0.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write(&[0; 512]).is_ok_and(|written| written > 0) {}
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn statements_are_refused_while_the_audits_disk_is_full_and_served_when_there_is_room() {
    let house = House::build();
    std::fs::create_dir_all(house.audit()).unwrap();
    let Some(disk) = SmallDisk::under(&house.audit()) else {
        return eprintln!("skipped: mounting a small disk takes root");
    };
    let _gate = house.gate();
    let mut client = client(&house, "steward");
    client.run("SELECT 'before'");
    let filler = disk.fill();
    // What is left of the last page of the audit may still take a few lines.
    let (mut asked, mut told) = (0, None);
    until("a refused statement", || {
        asked += 1;
        told = error_in(&client.query(&format!("SELECT 'full{asked}x'")).unwrap());
        told.is_some()
    });
    let told = told.unwrap();
    assert_eq!(told.sqlstate(), "58030", "{told:?}");
    assert!(told.text().contains("the audit cannot be written"), "{told:?}");
    let log = std::fs::read_to_string(house.postgres.log()).unwrap();
    assert!(!log.contains(&format!("full{asked}x")), "what could not be recorded ran");
    std::fs::remove_file(filler).unwrap();
    client.run("SELECT 'after'");
    still_serves(&house);
    let verified = tollgate::audit::read::verify(&house.audit()).unwrap();
    assert_eq!(verified.first_break, None);
}

#[test]
fn a_draining_gate_finishes_what_runs_and_takes_nobody_new() {
    let house = House::build();
    let gate = house.gate();
    let mut idle = client(&house, "analyst");
    let mut busy = client(&house, "steward");
    busy.send(&say::query("SELECT count(*), 'a long one' FROM generate_series(1, 5000000)")).unwrap();
    await_running(&mut superuser(&house), "a long one");
    gate.signal("-TERM");
    let told = idle.frame().unwrap().unwrap();
    assert_eq!((told.tag, told.sqlstate().as_str()), (b'E', "57P03"));
    assert!(idle.rest().is_empty());
    assert!(Client::connect(house.port).is_err());
    let answer = busy.until(b'Z').unwrap();
    assert_eq!(tags(&answer), "TDCZ", "{answer:?}");
    assert_eq!(busy.until(b'E').unwrap().pop().unwrap().sqlstate(), "57P03");
    assert_eq!(gate.wait().code(), Some(0));
    assert_eq!(house.records().last().unwrap()["reason"], "drained");
}

#[test]
fn answers_come_at_a_flush_without_a_sync_as_from_the_server_itself() {
    let house = House::build();
    let _gate = house.gate();
    for user in ["steward", "analyst"] {
        let talk = |mut client: Client| {
            let begin = [say::parse("s", "SELECT 40 + 2"), say::describe(b'S', "s"), say::flush()];
            client.send(&begin.concat()).unwrap();
            let mut frames = client.until(b'T').unwrap();
            client.send(&[say::bind("p", "s", &[]), say::execute("p", 0), say::flush()].concat()).unwrap();
            frames.extend(client.until(b'C').unwrap());
            let failing = [say::parse("", "SELECT nope"), say::flush(), say::parse("", "SELECT 1")];
            client.send(&failing.concat()).unwrap();
            frames.extend(client.until(b'E').unwrap());
            client.send(&[say::close(b'S', "s"), say::sync()].concat()).unwrap();
            frames.extend(client.until(b'Z').unwrap());
            frames
        };
        assert_eq!(talk(client(&house, user)), talk(superuser(&house)), "{user}");
    }
}

#[test]
fn a_cancel_request_is_answered_as_by_the_server_itself() {
    let house = House::build();
    let _gate = house.gate();
    let mut control = superuser(&house);
    let mut talk = |mut client: Client, port: u16, name: &str| {
        client
            .send(&say::query(&format!("SELECT count(*), '{name}' FROM generate_series(1, 4000000000)")))
            .unwrap();
        await_running(&mut control, name);
        let mut cancel = Client::connect(port).unwrap();
        cancel.send(&say::cancel(&client.key)).unwrap();
        assert!(cancel.rest().is_empty());
        let mut frames = client.until(b'Z').unwrap();
        frames.extend(client.query("SELECT 1").unwrap());
        frames
    };
    let direct = talk(superuser(&house), house.postgres.port(), "cancelled direct");
    let through = talk(client(&house, "steward"), house.port, "cancelled through");
    assert_eq!(through, direct);
}

#[test]
fn a_time_limit_is_not_lifted_at_the_start_and_a_shorter_one_is_kept() {
    let house = House::build();
    let gate = house.gate();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let opened = async |user: &str, options: &str| {
            let mut config = tokio_postgres::Config::new();
            config
                .host("127.0.0.1")
                .port(gate.address.port())
                .user(user)
                .password(support::PASSWORD)
                .dbname("dev");
            let (client, connection) = config.options(options).connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        };
        for longer in ["0", "-1", "61s", "2min", "1h", "60001", "x"] {
            for options in [
                format!("-c statement_timeout={longer}"),
                format!("--Statement-Timeout={longer} -c statement_timeout=1s"),
                format!("-c statement_timeout=1s -c STATEMENT_TIMEOUT={longer}"),
            ] {
                let (code, message) = support::refusal(opened("analyst", &options).await.map(|_| ()));
                assert_eq!(code, "28000", "{options}: {message}");
            }
        }
        let shown = async |options: &str, sql: &str| {
            let client = opened("analyst", options).await.unwrap();
            client.batch_execute(sql).await.unwrap();
            support::rows(&client.simple_query("SHOW statement_timeout").await.unwrap())
        };
        assert_eq!(shown("-c statement_timeout=30s", "RESET statement_timeout").await, ["30s"]);
        assert_eq!(shown("-c statement_timeout=9s -c statement_timeout=30s", "SELECT 1").await, ["30s"]);
        assert_eq!(shown("", "SET statement_timeout = 1000; RESET statement_timeout").await, ["65s"]);
    });
}
