//! Sessions opened upstream ahead of need: used once, by whom they were opened for, and never dead.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use support::client::Client;
use support::{Gate, House, PASSWORD, until};
use tollgate::demo::postgres::free_port;

/// A gate with metrics and these sessions ahead of need.
struct Place {
    house: House,
    admin: u16,
    gate: Gate,
}

fn place(warm: &str) -> Place {
    place_at(House::build(), warm)
}

fn place_at(house: House, warm: &str) -> Place {
    let admin = free_port().unwrap();
    let config = fs::read_to_string(house.config()).unwrap();
    let config = config.replacen("  logins:", &format!("  warm: {warm}\n  logins:"), 1);
    fs::write(house.config(), format!("admin: 127.0.0.1:{admin}\n{config}")).unwrap();
    let gate = house.gate();
    Place { house, admin, gate }
}

impl Place {
    fn client(&self, user: &str) -> Client {
        Client::log_in(self.house.port, user, PASSWORD, "dev").unwrap()
    }

    /// The value of a metric; 0 where it was never counted.
    fn metric(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map_or(0, |value| value.trim().parse::<f64>().unwrap() as u64)
    }

    fn hits(&self) -> u64 {
        self.metric("tollgate_upstream_warm_total{outcome=\"hit\"}")
    }

    #[track_caller]
    fn until_waiting(&self, sessions: u64) {
        until("sessions that wait", || self.metric("tollgate_upstream_warm_sessions") == sessions);
    }

    /// Connects and goes, often enough for a session to wait for the next.
    fn teach(&self, user: &str) {
        for _ in 0..2 {
            drop(self.client(user));
        }
        until("a session that waits", || self.metric("tollgate_upstream_warm_sessions") > 0);
    }

    /// Sessions of the warehouse that the gate opened.
    fn upstream(&self) -> usize {
        let count = "SELECT pid FROM pg_stat_activity WHERE datname = 'dev' AND pid <> pg_backend_pid()";
        self.house.warehouse("dev", count).len()
    }
}

#[test]
fn a_session_that_waits_is_used_once_and_brings_nothing_of_another() {
    let place = place("{ sessions: 2, age: 1h }");
    place.teach("analyst");
    let mut seen = BTreeSet::new();
    for turn in 1..=5 {
        let mut client = place.client("analyst");
        assert_eq!(place.hits(), turn);
        assert!(seen.insert(client.value("SELECT pg_backend_pid()")), "a backend was used twice");
        assert_eq!(client.value("SHOW datestyle"), "ISO, MDY");
        assert_eq!(client.value("SELECT count(*) FROM pg_class WHERE relname = 'left_behind'"), "0");
        client.query("SET datestyle TO german").unwrap();
        client.query("CREATE TEMP TABLE left_behind AS SELECT 1 AS one").unwrap();
        assert_eq!(client.value("SELECT one FROM left_behind"), "1");
        assert!(client.value("SHOW datestyle").starts_with("German"));
        drop(client);
        place.until_waiting(1);
    }
}

#[test]
fn a_session_that_waits_is_for_one_principal_and_its_parameters() {
    let place = place("{ sessions: 4, age: 1h }");
    place.teach("analyst");
    let waiting = place.metric("tollgate_upstream_warm_sessions");
    // Another principal of the same login upstream, and the same one with another clock.
    drop(place.client("steward"));
    drop(place.client("slow"));
    let mut named = Client::connect(place.house.port).unwrap();
    let words = b"user\0analyst\0database\0dev\0application_name\0report\0\0";
    named.send(&support::say::packet(3 << 16, words)).unwrap();
    named.authenticate(PASSWORD).unwrap();
    assert_eq!(named.value("SHOW application_name"), "report");
    assert_eq!(place.hits(), 0);
    assert_eq!(place.metric("tollgate_upstream_warm_sessions"), waiting);
    let mut analyst = place.client("analyst");
    assert_eq!(place.hits(), 1);
    assert_eq!(analyst.value("SHOW statement_timeout"), "65s");
}

#[test]
fn the_number_of_sessions_that_wait_is_bounded() {
    let place = place("{ sessions: 3, age: 1h }");
    for _ in 0..4 {
        // All at once, so that each finds none waiting.
        let clients: Vec<Client> =
            ["analyst", "steward", "slow"].iter().cycle().take(9).map(|user| place.client(user)).collect();
        drop(clients);
    }
    place.until_waiting(3);
    until("the clients' sessions gone", || place.upstream() == 3);
}

#[test]
fn sessions_that_ended_while_they_waited_are_not_handed_out() {
    let place = place("{ sessions: 2, age: 1h }");
    place.teach("analyst");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = 'dev' AND pid <> pg_backend_pid()";
    place.house.warehouse("postgres", end);
    place.until_waiting(0);
    let hits = place.hits();
    assert_eq!(place.client("analyst").value("SELECT 7"), "7");
    assert_eq!(place.hits(), hits);
}

#[test]
fn sessions_that_wait_end_with_their_age_their_rules_and_the_gate() {
    let place = place("{ sessions: 2, age: 1s }");
    drop(place.client("analyst"));
    let mut hits = 0;
    until("a session that waited", || {
        drop(place.client("analyst"));
        hits = place.hits();
        hits > 0
    });
    place.until_waiting(0);
    until("the warehouse left alone", || place.upstream() == 0);

    let place = self::place("{ sessions: 2, age: 1h }");
    place.teach("analyst");
    let company = place.house.dir.path().join("rules/company.yaml");
    let text = fs::read_to_string(&company).unwrap();
    fs::write(&company, text.replace("rows: 100,", "rows: 200,")).unwrap();
    place.until_waiting(0);
    until("the warehouse left alone", || place.upstream() == 0);
    place.teach("analyst");
    place.gate.signal("-TERM");
    until("the warehouse left alone", || place.upstream() == 0);
    assert!(place.gate.wait().success());
}

#[test]
fn sessions_that_wait_give_way_to_clients_where_the_warehouse_is_full() {
    let house = House::build();
    house.warehouse("postgres", "CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 3");
    let config = fs::read_to_string(house.config()).unwrap();
    let superuser = format!("user: {}", house.postgres.superuser());
    fs::write(house.config(), config.replacen(&superuser, "user: few", 1)).unwrap();
    fs::write(house.dir.path().join("upstream.password"), "few").unwrap();
    let place = place_at(house, "{ sessions: 2, age: 1h }");
    let _open = [place.client("analyst"), place.client("analyst")];
    place.until_waiting(1);
    assert_eq!(place.client("steward").value("SELECT 7"), "7");
    place.until_waiting(0);
}
