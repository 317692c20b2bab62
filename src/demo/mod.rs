//! `tollgate demo`: the gate in front of a private PostgreSQL with sample data of six domains.
//!
//! [`prepare`] starts the warehouse, loads it and writes the configuration; the caller serves that
//! configuration, calls [`Prepared::announce`] once the gate listens, and ends with [`Prepared::stop`].

pub mod check;
pub mod company;
pub mod data;
pub mod examples;
mod instructions;
pub(crate) mod papers;
pub mod postgres;
mod secrets;
pub mod state;
mod tls;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use check::check;
pub use company::CompanyError;
pub use data::LoadError;
pub use instructions::print_instructions;
use postgres::{Postgres, PostgresError, PostgresOptions};
pub use state::State;

/// The port of the gate where none is named.
pub const DEFAULT_PORT: u16 = 5439;
/// How long a stop waits for the sessions' sockets and the warehouse's files.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The gate's, on loopback.
    pub port: u16,
    /// Holds the demo and stays; a later start goes on with what is there.
    pub keep: Option<PathBuf>,
    /// The folder of PostgreSQL's server programs; searched for where unset.
    pub pg_bin: Option<PathBuf>,
}

/// Why the demo does not run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("port {port} of 127.0.0.1 is taken; choose another with `--port`")]
    PortTaken { port: u16, source: io::Error },
    #[error("cannot {doing} `{path}`")]
    Folder { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Company(#[from] CompanyError),
    #[error("a task of the demo ended before its time")]
    Interrupted,
}

/// A warehouse that runs and a folder that `serve` can be started on.
#[derive(Debug)]
pub struct Prepared {
    state: State,
    server: Option<Postgres>,
    temporary: Option<TempDir>,
    announced: bool,
    began: Instant,
}

impl Prepared {
    /// The configuration to serve.
    pub fn config(&self) -> &Path {
        &self.state.config
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Since [`prepare`] was called.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes the state file: from now on `demo --check` finds this demo. To be called once the gate listens.
    pub fn announce(&mut self) -> Result<(), DemoError> {
        let path = State::path(self.state.port);
        self.state.write(&path).map_err(|source| DemoError::Folder { doing: "write", path, source })?;
        self.announced = true;
        Ok(())
    }

    /// Stops the warehouse and removes what is not to be kept.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        self.withdraw();
        let server = self.server.take();
        let temporary = self.temporary.take();
        let stopping = tokio::task::spawn_blocking(move || clear(server, temporary));
        match tokio::time::timeout(STOP_TIMEOUT, stopping).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(DemoError::Interrupted),
        }
    }

    fn withdraw(&mut self) {
        if std::mem::take(&mut self.announced) {
            // It may have been removed by hand.
            let _ = std::fs::remove_file(State::path(self.state.port));
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.withdraw();
        // Nobody is left to tell; `stop` reports.
        let _ = clear(self.server.take(), self.temporary.take());
    }
}

/// The server first: it holds files in the folder.
fn clear(server: Option<Postgres>, temporary: Option<TempDir>) -> Result<(), DemoError> {
    if let Some(server) = server {
        server.stop()?;
    }
    if let Some(temporary) = temporary {
        let path = temporary.path().to_owned();
        temporary.close().map_err(|source| DemoError::Folder { doing: "remove", path, source })?;
    }
    Ok(())
}

/// Starts the warehouse, loads the sample data and writes the demo's folder. Tells its progress on
/// standard error. When the returned future is dropped, what it has started is stopped.
pub async fn prepare(options: DemoOptions) -> Result<Prepared, DemoError> {
    let began = Instant::now();
    let tell = |text: &str| eprintln!("{:5.1} s  {text}", began.elapsed().as_secs_f64());
    port_is_free(options.port)?;
    let (dir, temporary) = home(options.keep.as_deref())?;
    let standing = company::standing_secrets(&dir)?;
    tell("starting a private PostgreSQL");
    let server_options = PostgresOptions {
        pg_bin: options.pg_bin,
        dir: Some(dir.join("warehouse")),
        password: Some(standing.superuser.clone()),
        ..PostgresOptions::default()
    };
    // The folder goes along: were this future dropped now, it must outlive the server's start.
    let starting = move || Postgres::start(server_options).map(|server| Ground { server, temporary });
    let ground = tokio::task::spawn_blocking(starting).await.map_err(|_| DemoError::Interrupted)??;
    let server = &ground.server;
    tell("loading sample data of six domains");
    let rows = data::load(server, &standing.upstream).await?;
    tell(&format!("{rows} rows are there; writing rules, accounts, certificates and a token"));
    let admin_port = postgres::free_port().map_err(|source| DemoError::Folder {
        doing: "find a port for",
        path: dir.clone(),
        source,
    })?;
    let ports = company::Ports { gate: options.port, upstream: server.port(), admin: admin_port };
    let company = company::write(&dir, ports, &standing)?;
    let state = State {
        pid: std::process::id(),
        port: options.port,
        admin_port,
        dir,
        config: company.config,
        ca: company.ca,
        audit_dir: company.audit_dir,
        database: data::DATABASE.to_owned(),
        accounts: standing
            .accounts
            .iter()
            .map(|(name, password)| (name.clone(), password.expose().to_owned()))
            .collect(),
        person: company.person,
        issuer: company.issuer,
        warehouse: state::Warehouse {
            port: server.port(),
            superuser: server.superuser().to_owned(),
            password: server.password().expose().to_owned(),
            pg_bin: server.binaries().dir().to_owned(),
        },
    };
    tell("starting the gate");
    let Ground { server, temporary } = ground;
    Ok(Prepared { state, server: Some(server), temporary, announced: false, began })
}

/// A server in its folder; dropped in this order.
struct Ground {
    server: Postgres,
    temporary: Option<TempDir>,
}

/// Told before anything is started, not after ten seconds of work.
fn port_is_free(port: u16) -> Result<(), DemoError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map(drop)
        .map_err(|source| DemoError::PortTaken { port, source })
}

fn home(keep: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), DemoError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::Folder { doing, path, source }
    };
    if let Some(dir) = keep {
        std::fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let dir = dir.canonicalize().map_err(failed("open", dir))?;
        return Ok((dir, None));
    }
    let parent = std::env::temp_dir();
    let temporary = tempfile::Builder::new()
        .prefix("tollgate-demo-")
        .tempdir()
        .map_err(failed("create a folder in", &parent))?;
    // The warehouse may run as another user: it passes through, and finds nothing else open to it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(temporary.path(), open).map_err(failed("open to others", temporary.path()))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_demo_is_prepared_announced_and_leaves_nothing() {
        let port = postgres::free_port().unwrap();
        let mut prepared = prepare(DemoOptions { port, keep: None, pg_bin: None }).await.unwrap();
        prepared.announce().unwrap();
        let path = State::path(port);
        let read = State::read(&path).unwrap();
        assert!(read.config.exists() && read.dir.join("rules/domains/orders.yaml").exists());
        print_instructions(&prepared);
        prepared.stop().await.unwrap();
        assert!(!path.exists() && !read.dir.exists());
    }

    #[tokio::test]
    async fn a_taken_port_is_told_before_anything_starts() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = prepare(DemoOptions { port, keep: None, pg_bin: None }).await.unwrap_err();
        assert!(matches!(error, DemoError::PortTaken { .. }), "{error}");
    }
}
