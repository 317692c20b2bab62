//! Whatever comes in from either side: a clear error there, nothing hangs, nobody else notices.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use support::{Gate, House, connect, refusal, until};
use tokio::runtime::Runtime;

/// A connection on which nothing may take longer than this.
fn raw(gate: &Gate) -> TcpStream {
    let stream = TcpStream::connect(gate.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What the gate says until it closes the connection.
fn to_the_end(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    // A reset counts as an end too: the gate does not read what it will not hear.
    let _ = stream.read_to_end(&mut said);
    said
}

fn startup(minor: u16, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = vec![0, 3];
    body.extend_from_slice(&minor.to_be_bytes());
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let mut packet = (body.len() as i32 + 4).to_be_bytes().to_vec();
    packet.extend_from_slice(&body);
    packet
}

fn says(said: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(said).contains(text)
}

#[track_caller]
fn serves(gate: &Gate, runtime: &Runtime) {
    let rows = runtime.block_on(async {
        let client = gate.connect("analyst").await.unwrap();
        support::rows(&client.simple_query("SELECT count(*) FROM orders.daily").await.unwrap())
    });
    assert_eq!(rows, ["500"]);
}

#[test]
fn broken_handshakes_end_and_harm_nobody() {
    let (house, runtime) = (House::build(), Runtime::new().unwrap());
    let gate = house.gate();
    let user = startup(0, &[("user", "analyst"), ("database", "dev")]);
    let cases: [&[u8]; 8] = [
        b"",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbf\xff\xff\xff\0\x03\0\0",
        &user[..7],
        &[user.as_slice(), b"Q\xc0\0\0\0"].concat(),
        &[user.as_slice(), b"p\0\0\0\x03"].concat(),
    ];
    for bytes in cases {
        // The gate gives a handshake one second, by its configuration.
        let _ = to_the_end(raw(&gate), bytes);
    }
    serves(&gate, &runtime);
    let said = to_the_end(raw(&gate), b"\0\0\0\x08\x04\xd2\x16\x2f");
    assert_eq!(said, b"N", "TLS is off here");
}

#[test]
fn unknown_versions_users_and_databases_are_answered_as_postgresql_does() {
    let (house, runtime) = (House::build(), Runtime::new().unwrap());
    let gate = house.gate();
    let mut stream = raw(&gate);
    stream.write_all(&startup(9, &[("user", "analyst"), ("_pq_.new", "1")])).unwrap();
    let mut head = [0; 13];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"v\0\0\0\x15\0\x03\0\x02\0\0\0\x01");
    let said = to_the_end(raw(&gate), b"\0\0\0\x09\0\x02\0\0\0");
    assert!(says(&said, "0A000") && says(&said, "unsupported frontend protocol"), "{said:?}");
    let said = to_the_end(raw(&gate), &startup(0, &[("user", "analyst"), ("replication", "true")]));
    assert!(says(&said, "replication"), "{said:?}");
    runtime.block_on(async {
        let wrong = refusal(connect(gate.address, "analyst", "wrong", "dev").await.map(drop));
        let nobody = refusal(connect(gate.address, "nobody", "wrong", "dev").await.map(drop));
        assert_eq!(wrong.0, "28P01");
        assert_eq!(nobody.0, wrong.0);
        assert_eq!(nobody.1.replace("nobody", "analyst"), wrong.1);
        let database = refusal(connect(gate.address, "analyst", support::PASSWORD, "other").await.map(drop));
        assert_eq!(database, ("3D000".to_owned(), "database \"other\" does not exist".to_owned()));
    });
    until("the failed logins on record", || {
        house.records().iter().filter(|record| record["event"] == "login_failed").count() == 3
    });
    serves(&gate, &runtime);
}

#[test]
fn a_message_over_its_bound_is_refused_and_the_session_goes_on() {
    let (house, runtime) = (House::build(), Runtime::new().unwrap());
    let gate = house.gate();
    runtime.block_on(async {
        let client = gate.connect("analyst").await.unwrap();
        let long = format!("SELECT '{}'", "x".repeat(100_000));
        assert_eq!(refusal(client.simple_query(&long).await).0, "54000");
        assert_eq!(refusal(client.query(&long, &[]).await).0, "54000");
        assert_eq!(support::rows(&client.simple_query("SELECT 7").await.unwrap()), ["7"]);
    });
}

#[test]
fn an_upstream_that_is_down_dies_or_speaks_nonsense_is_told_and_survived() {
    let (house, runtime) = (House::build(), Runtime::new().unwrap());
    let gate = house.gate();
    runtime.block_on(async {
        let (victim, other) =
            (gate.connect("steward").await.unwrap(), gate.connect("analyst").await.unwrap());
        let long = victim.simple_query("SELECT count(*) FROM generate_series(1, 4000000000)");
        let find = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE state = 'active' AND query LIKE 'SELECT count(*) FROM generate_series%'";
        let (ended, ()) = tokio::join!(long, async {
            let client = tollgate::demo::data::connect(&house.postgres, "dev").await.unwrap();
            while support::rows(&client.simple_query(find).await.unwrap()).is_empty() {
                tokio::task::yield_now().await;
            }
        });
        assert!(ended.is_err());
        assert_eq!(support::rows(&other.simple_query("SELECT 7").await.unwrap()), ["7"]);
    });
    drop(gate);

    house.write_files("127.0.0.1", 1);
    let gate = house.gate();
    let down = refusal(runtime.block_on(gate.connect("analyst")).map(drop));
    assert_eq!(down.0, "08001", "{down:?}");
    drop(gate);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    house.write_files("127.0.0.1", listener.local_addr().unwrap().port());
    let mad = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let opened = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07abcdZ\0\0\0\x05I";
            let _ = stream.write_all(opened);
            if stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"!\0\0\0\x04");
                return;
            }
        }
    });
    let mut gate = house.gate();
    runtime.block_on(async {
        let client = gate.connect("steward").await.unwrap();
        let nonsense = refusal(client.simple_query("SELECT 1").await);
        assert_eq!(nonsense.0, "08P01", "{nonsense:?}");
    });
    assert!(gate.is_alive());
    mad.join().unwrap();
}

#[test]
fn broken_rules_stop_a_start_with_every_problem_and_a_reload_without_harm() {
    let (house, runtime) = (House::build(), Runtime::new().unwrap());
    let company = house.dir.path().join("rules/company.yaml");
    let orders = house.dir.path().join("rules/domains/orders.yaml");
    let (good_company, good_orders) =
        (fs::read_to_string(&company).unwrap(), fs::read_to_string(&orders).unwrap());
    fs::write(&company, format!("acounts: 1\n{good_company}")).unwrap();
    fs::write(&orders, good_orders.replace("stewards: [steward]", "stewards: [nobody]")).unwrap();
    let output = support::serve(&house.config()).stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for part in ["rules/company.yaml:1: `acounts`", "rules/domains/orders.yaml:3: `nobody`"] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
    fs::write(&company, &good_company).unwrap();
    fs::write(&orders, &good_orders).unwrap();

    let gate = house.gate();
    let insert = "INSERT INTO orders.daily VALUES (0, 0)";
    runtime.block_on(async {
        let client = gate.connect("analyst").await.unwrap();
        assert_eq!(refusal(client.simple_query(insert).await).0, "42501");
        fs::write(&orders, "domain: [").unwrap();
        until("a refused reload", || reloads(&house) == [false]);
        assert_eq!(refusal(client.simple_query(insert).await).0, "42501");
        fs::write(&orders, good_orders.replace("[steward]", "[analyst]")).unwrap();
        gate.signal("-HUP");
        until("a live reload", || reloads(&house).last() == Some(&true));
        client.simple_query(insert).await.unwrap();
    });
}

/// For each reload on record, whether its rules went live.
fn reloads(house: &House) -> Vec<bool> {
    let records = house.records();
    let mut seen: Vec<bool> = records
        .iter()
        .filter(|record| record["event"] == "rules")
        .map(|record| record["problems"].as_array().unwrap().is_empty())
        .collect();
    seen.dedup();
    seen
}

#[test]
fn sigterm_lets_what_runs_finish_and_ends_well() {
    let (house, runtime) = (House::build(), Runtime::new().unwrap());
    let gate = house.gate();
    let status = runtime.block_on(async {
        let (busy, idle) = (gate.connect("steward").await.unwrap(), gate.connect("steward").await.unwrap());
        let running = busy.simple_query("SELECT count(*) FROM generate_series(1, 5000000)");
        let (finished, ()) = tokio::join!(running, async {
            until("the statement on record", || {
                house
                    .records()
                    .iter()
                    .any(|record| record["sql"].as_str().is_some_and(|s| s.contains("5000000")))
            });
            gate.signal("-TERM");
        });
        assert_eq!(support::rows(&finished.unwrap()), ["5000000"]);
        assert!(idle.simple_query("SELECT 1").await.is_err());
        tokio::task::spawn_blocking(|| gate.wait()).await.unwrap()
    });
    assert_eq!(status.code(), Some(0));
    let records = house.records();
    assert_eq!(records.last().unwrap()["event"], "stop");
}
