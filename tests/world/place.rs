//! A warehouse that may be changed by whoever reaches it, a gate before it, and a witness beside it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use tollgate::demo::postgres::{Postgres, PostgresOptions, free_port};

use crate::support::client::{Client, NoSession, error_in};
use crate::support::{Gate, House, PASSWORD, say, until};

const HOUSE: &str = include_str!("house.sql");
const SANDBOX: &str = include_str!("sandbox.sql");
const WATCH: &str = include_str!("watch.sql");

const COMPANY: &str = r#"posture: { read: allow }
accounts:
  analyst: { verifier: "file:verifier", groups: [orders-analysts] }
  dbt_prod: { verifier: "file:verifier", groups: [stewards] }
limits:
  - { for: everyone, rows: 1000, cost: 50000000, seconds: 20, concurrent: 50 }
"#;

/// What the witness says where it cannot look.
const UNSEEN: &str = "unseen:";

pub struct World {
    house: House,
    gate: Gate,
    /// Sees the warehouse past the gate, as one who may see everything.
    witness: Client,
    neighbour: Neighbour,
    /// Where hostile statements would have the server connect to.
    beacon: TcpListener,
}

impl World {
    /// With the catalog's snapshot as evidence or without.
    pub fn build(catalog: bool) -> Self {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = PostgresOptions {
            settings: vec![
                setting("autovacuum", "off"),
                setting("fsync", "off"),
                setting("max_prepared_transactions", "5"),
            ],
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(options).unwrap();
        let house = House { postgres, dir: tempfile::tempdir().unwrap(), port: free_port().unwrap() };
        house.warehouse("postgres", "CREATE DATABASE pristine");
        house.warehouse("pristine", &[HOUSE, SANDBOX, WATCH].concat());
        house.warehouse("postgres", "CREATE DATABASE dev TEMPLATE pristine");
        fs::write(data(&house).join("canary"), "sings").unwrap();
        house.write_files("127.0.0.1", house.postgres.port());
        fs::write(house.dir.path().join("rules/company.yaml"), COMPANY).unwrap();
        let admin = free_port().unwrap();
        let served = fs::read_to_string(house.config()).unwrap();
        let more = if catalog { "catalog: { refresh: 1h }" } else { "" };
        fs::write(house.config(), format!("{served}admin: 127.0.0.1:{admin}\n{more}\n")).unwrap();
        let domains = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/domains");
        for entry in fs::read_dir(domains).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            fs::copy(&path, house.dir.path().join("rules/domains").join(name)).unwrap();
        }
        let gate = house.gate();
        if catalog {
            until("the catalog's snapshot", || has_catalog(admin));
        }
        let beacon = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        beacon.set_nonblocking(true).unwrap();
        let (witness, neighbour) = (direct(&house), Neighbour::arrive(&house));
        let mut world = Self { house, gate, witness, neighbour, beacon };
        world.tidy();
        world
    }

    pub fn analyst(&self) -> Client {
        match Client::log_in(self.gate.address.port(), "analyst", PASSWORD, "dev") {
            Ok(client) => client,
            Err(NoSession::Refused(frame)) => panic!("no session: {frame:?}"),
            Err(NoSession::Lost(error)) => panic!("no session: {error}"),
        }
    }

    /// A session with one more word in its startup message, if it comes about.
    pub fn opened(&self, name: &str, value: &str) -> Option<Client> {
        let mut client = Client::connect(self.gate.address.port()).unwrap();
        let body = format!("user\0analyst\0database\0dev\0{name}\0{value}\0\0");
        client.send(&say::packet(say::PROTOCOL_3_0, body.as_bytes())).unwrap();
        client.authenticate(PASSWORD).is_ok().then_some(client)
    }

    /// Says what cannot be known before the world stands into a text.
    pub fn place(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        text.replace("{near}", &self.neighbour.schema)
            .replace("{neighbour}", &self.neighbour.process)
            .replace("{file}", &data(&self.house).join("loot").display().to_string())
            .replace("{beacon}", &self.beacon.local_addr().unwrap().port().to_string())
    }

    /// The analyst's sandbox as it was at first.
    pub fn tidy(&mut self) {
        self.witness.run(SANDBOX);
    }

    /// A sum of everything that is not the analyst's to change, a part a line.
    pub fn sum(&mut self) -> String {
        let question = format!("SELECT watch.world({})", self.neighbour.schema_oid);
        let frames = self.witness.query(&question).unwrap();
        match frames.iter().find(|frame| frame.tag == b'D') {
            Some(row) => String::from_utf8_lossy(&row.body[6..]).into_owned(),
            // What holds a lock on everything keeps the witness from seeing.
            None => format!("{UNSEEN} {}", error_in(&frames).map(|error| error.text()).unwrap_or_default()),
        }
    }

    /// A steward's or the data team's own work, past the gate.
    pub fn steward(&mut self, sql: &str) {
        self.witness.run(sql);
    }

    /// Sessions that wait for a lock.
    pub fn waiting(&mut self) -> usize {
        let question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        self.witness.value(question).parse().unwrap()
    }

    /// Waits until nothing runs any more and no transaction is open but the witness's.
    pub fn settle(&mut self) {
        let question = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' \
                        AND state <> 'idle' AND pid <> pg_backend_pid()";
        until("the end of what runs", || self.witness.value(question) == "0");
    }

    /// The database as it was at first, with everything that was done to it forgotten.
    pub fn restore(&mut self) {
        self.house.warehouse("postgres", "DROP DATABASE dev WITH (FORCE)");
        self.house.warehouse("postgres", "CREATE DATABASE dev TEMPLATE pristine");
        self.witness = direct(&self.house);
        self.neighbour = Neighbour::arrive(&self.house);
    }

    /// Whether anyone was called from the server.
    pub fn was_called(&self) -> bool {
        self.beacon.accept().is_ok()
    }
}

/// Whether the gate tells of a snapshot with relations.
fn has_catalog(admin: u16) -> bool {
    let mut told = String::new();
    TcpStream::connect(("127.0.0.1", admin)).is_ok_and(|mut stream| {
        let asked = stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n");
        asked.and_then(|()| stream.read_to_string(&mut told)).is_ok()
            && told.lines().any(|line| line.starts_with("tollgate_catalog_relations "))
    })
}

fn data(house: &House) -> std::path::PathBuf {
    house.postgres.dir().join("data")
}

fn direct(house: &House) -> Client {
    let postgres = &house.postgres;
    let mut client =
        Client::log_in(postgres.port(), postgres.superuser(), postgres.password().expose(), "dev").unwrap();
    // Longer than a session that has left takes to end; a lock that is held for good is still told of.
    client.run("SET lock_timeout TO '20s'");
    client
}

/// Another's session with temporary things of its own.
struct Neighbour {
    _client: Client,
    process: String,
    schema: String,
    schema_oid: String,
}

impl Neighbour {
    fn arrive(house: &House) -> Self {
        let mut client = direct(house);
        client.run(
            "SET application_name TO neighbour; CREATE TEMP TABLE t (a int); \
             CREATE TEMP SEQUENCE s; CREATE TEMP VIEW v AS SELECT 1 AS n",
        );
        Self {
            process: client.value("SELECT pg_backend_pid()"),
            schema: client.value("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()"),
            schema_oid: client.value("SELECT pg_my_temp_schema()"),
            _client: client,
        }
    }
}

/// The lines of `after` that differ from `before`, by their names.
pub fn changed(before: &str, after: &str) -> Vec<String> {
    if after.starts_with(UNSEEN) {
        return vec![after.to_owned()];
    }
    let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> =
        after.lines().filter(|line| !before.lines().any(|known| known == *line)).map(name).collect();
    let gone = before.lines().map(name).filter(|known| !after.lines().any(|line| name(line) == *known));
    names.extend(gone);
    names
}
