//! A real PostgreSQL and a real gate in front of it, for tests.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

pub mod client;
pub mod relay;
pub mod say;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tollgate::demo::data;
use tollgate::demo::postgres::{Postgres, PostgresOptions, free_port};
use tollgate::identity::{ITERATIONS, Verifier};

pub const PASSWORD: &str = "correct horse";
const READY: Duration = Duration::from_secs(30);

const COMPANY: &str = r#"posture: { read: allow }
accounts:
  steward: { verifier: "file:verifier", groups: [stewards] }
  analyst: { verifier: "file:verifier", groups: [orders-analysts] }
  slow:    { verifier: "file:verifier" }
limits:
  - { for: steward, rows: unlimited, cost: unlimited, seconds: 600 }
  - { for: slow, rows: 10, cost: unlimited, seconds: 1, concurrent: 1 }
  - { for: everyone, rows: 100, cost: 1000000, seconds: 60, concurrent: 50 }
"#;

const ORDERS: &str = r#"domain: orders
official: [orders]
stewards: [steward]
sandbox: { schema: sandbox_orders, members: [group:orders-analysts] }
ticket: https://tickets.example/orders
"#;

/// Waits until `done`, or fails after a while.
#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + READY;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::yield_now();
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// PostgreSQL with the schemas `orders` and `sandbox_orders`, and a folder for a gate.
pub struct House {
    pub postgres: Postgres,
    pub dir: TempDir,
    pub port: u16,
}

impl House {
    pub fn build() -> Self {
        let options = PostgresOptions { log_statements: true, ..PostgresOptions::default() };
        let postgres = Postgres::start(options).unwrap();
        let house = Self { postgres, dir: tempfile::tempdir().unwrap(), port: free_port().unwrap() };
        house.warehouse("postgres", "CREATE DATABASE dev");
        house.warehouse(
            "dev",
            "CREATE SCHEMA orders; CREATE SCHEMA sandbox_orders; \
             CREATE TABLE orders.daily AS SELECT n AS day, n * 2 AS total FROM generate_series(1, 500) n; ANALYZE",
        );
        house.write_files("127.0.0.1", house.postgres.port());
        house
    }

    /// Configuration and rules for an upstream at this place.
    pub fn write_files(&self, host: &str, port: u16) {
        let write = |name: &str, text: &str| {
            let path = self.dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("verifier", &Verifier::from_password(PASSWORD, b"0123456789abcdef", ITERATIONS).text());
        write("upstream.password", self.postgres.password().expose());
        write("rules/company.yaml", COMPANY);
        write("rules/domains/orders.yaml", ORDERS);
        let superuser = self.postgres.superuser();
        write(
            "tollgate.yaml",
            &format!(
                "listen: 127.0.0.1:{}\ntls: off\nupstream:\n  host: {host}\n  port: {port}\n  database: dev\n  \
                 tls: off\n  connect_timeout: 5s\n  logins:\n    - {{ for: everyone, user: {superuser}, \
                 password: \"file:upstream.password\" }}\nbounds: {{ handshake: 1s, drain: 20s, message_bytes_max: \
                 1MiB, statement_bytes_max: 64KiB }}\n",
                self.port
            ),
        );
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("tollgate.yaml")
    }

    pub fn audit(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    /// Runs SQL as the warehouse's superuser, past the gate.
    pub fn warehouse(&self, database: &str, sql: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = data::connect(&self.postgres, database).await.unwrap();
            rows(&client.simple_query(sql).await.unwrap())
        })
    }

    /// Every line of the audit.
    pub fn records(&self) -> Vec<serde_json::Value> {
        let files = tollgate::audit::read::files(&self.audit()).unwrap();
        tollgate::audit::read::lines(files)
            .map(|line| serde_json::from_str(&line.unwrap().2).unwrap())
            .collect()
    }

    pub fn gate(&self) -> Gate {
        Gate::start(&self.config(), self.port)
    }
}

/// First columns of all rows.
pub fn rows(messages: &[tokio_postgres::SimpleQueryMessage]) -> Vec<String> {
    messages
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect()
}

/// `tollgate serve` as a process of its own.
pub struct Gate {
    child: Child,
    pub address: SocketAddr,
}

impl Gate {
    pub fn start(config: &Path, port: u16) -> Self {
        let child = serve(config).spawn().unwrap();
        let mut gate = Self { child, address: ([127, 0, 0, 1], port).into() };
        until("a listening gate", || {
            if let Some(status) = gate.child.try_wait().unwrap() {
                panic!("the gate ended: {status}");
            }
            TcpStream::connect(gate.address).is_ok()
        });
        gate
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A client of the gate.
    pub async fn connect(&self, user: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        connect(self.address, user, PASSWORD, "dev").await
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn serve(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["--log", "warn", "serve", "--config"]).arg(config).stdin(Stdio::null());
    command
}

pub async fn connect(
    address: SocketAddr,
    user: &str,
    password: &str,
    database: &str,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port()).user(user).password(password).dbname(database);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// SQLSTATE and message of a refused statement.
#[track_caller]
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, tokio_postgres::Error>) -> (String, String) {
    let error = outcome.unwrap_err();
    let error = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
    (error.code().code().to_owned(), error.message().to_owned())
}
