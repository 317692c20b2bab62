//! A private PostgreSQL: found, initialised, started on a free loopback port, stopped.
//!
//! Calls block; async callers wrap them in `spawn_blocking`. The server runs under a small shell that
//! holds the read end of a pipe: when this process ends in any way, the pipe closes and the shell
//! stops the server.

mod system;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use system::free_port;
use system::{User, has_server, owner_for, reachable, search_places};

use crate::config::Secret;

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const FAST_STOP_TIMEOUT: Duration = Duration::from_secs(10);
const IMMEDIATE_STOP_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
const PORT_ATTEMPTS: u32 = 5;
const LOG_TAIL_LINES: usize = 8;
const SUPERUSER: &str = "postgres";
/// Where `POSTMASTER.PID` holds the port and the readiness (PostgreSQL `miscinit.h`).
const PID_FILE_PORT_LINE: usize = 3;
const PID_FILE_STATUS_LINE: usize = 7;

/// Runs the server (`$@`) and stops it when told on standard input, or when that ends.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
    while read -r how; do
        case "$how" in
            immediate) kill -QUIT "$server" ;;
            *) kill -INT "$server" ;;
        esac
    done
    kill -INT "$server"
) <&3 3<&- 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"#;

/// Why no server runs. Told to the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "no PostgreSQL server programs (`initdb`, `postgres`) in {looked_in}; install them \
         (`apt-get install postgresql`, `dnf install postgresql-server`, `brew install postgresql`) \
         or name their folder with `--pg-bin`"
    )]
    NotFound { looked_in: String },
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to drop to")]
    NoUnprivilegedUser,
    #[error("user `{user}` cannot reach `{path}`; open it (`chmod o+x`) or choose another folder")]
    Unreachable { user: String, path: PathBuf },
    #[error("cannot {doing} `{path}`")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("`{program}` failed: {output}")]
    Program { program: PathBuf, output: String },
    #[error("PostgreSQL ended at its start ({status}): {log}")]
    EndedEarly { status: ExitStatus, log: String },
    #[error("PostgreSQL was not ready within {} s: {log}", READY_TIMEOUT.as_secs())]
    NotReady { log: String },
    #[error("PostgreSQL did not stop")]
    NotStopped,
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::Io { doing, path: path.to_owned(), source }
}

/// The folder with a server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// A program of the server, such as `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// How to start a server.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// The folder with `initdb` and `postgres`; searched for where unset.
    pub pg_bin: Option<PathBuf>,
    /// Holds the cluster (`data/`) and the log; an existing cluster is started again.
    /// A temporary folder, removed at the end, where unset.
    pub dir: Option<PathBuf>,
    /// The superuser's; must be the same for an existing cluster. Made up where unset.
    pub password: Option<Secret>,
    /// Every statement that arrives is written to [`Postgres::log`].
    pub log_statements: bool,
    /// Further settings, such as `("max_connections", "200")`.
    pub settings: Vec<(String, String)>,
}

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: Secret,
    binaries: Binaries,
    dir: PathBuf,
    keeper: Option<Child>,
    // Dropped last: the folder goes after the server.
    _temporary: Option<TempDir>,
}

impl Postgres {
    /// Finds the server's programs: in `pg_bin` alone where given, else on `PATH`, else the newest of
    /// `/usr/lib/postgresql/*/bin`.
    pub fn find(pg_bin: Option<&Path>) -> Result<Binaries, PostgresError> {
        let places = match pg_bin {
            Some(dir) => vec![dir.to_owned()],
            None => search_places(),
        };
        match places.iter().find(|dir| has_server(dir)) {
            Some(dir) => Ok(Binaries { dir: dir.clone() }),
            None => {
                let looked_in = match pg_bin {
                    Some(dir) => format!("`{}`", dir.display()),
                    None => "`PATH` and `/usr/lib/postgresql/*/bin`".to_owned(),
                };
                Err(PostgresError::NotFound { looked_in })
            }
        }
    }

    /// Initialises a cluster where there is none, starts it and waits until it accepts connections.
    pub fn start(options: PostgresOptions) -> Result<Self, PostgresError> {
        let binaries = Self::find(options.pg_bin.as_deref())?;
        let (dir, temporary) = home(options.dir.as_deref())?;
        let user = owner_for(&dir)?;
        if let Some(user) = &user {
            reachable(&dir, user)?;
        }
        let password = match &options.password {
            Some(password) => password.clone(),
            None => super::secrets::password().map_err(io_error("make a password for", &dir))?,
        };
        let data = dir.join("data");
        if !data.join("PG_VERSION").exists() {
            initialise(&binaries, &dir, &data, &password, user.as_ref())?;
        }
        let mut attempt = 1;
        loop {
            let port = free_port().map_err(io_error("bind a port for", &dir))?;
            let keeper = launch(&binaries, &dir, port, &options, user.as_ref())?;
            let mut server = Self {
                port,
                password: password.clone(),
                binaries: binaries.clone(),
                dir: dir.clone(),
                keeper: Some(keeper),
                _temporary: None,
            };
            match server.wait_until_ready() {
                Ok(()) => {
                    server._temporary = temporary;
                    return Ok(server);
                }
                // Another process may have taken the port between the probe and the start.
                Err(PostgresError::EndedEarly { log, .. })
                    if attempt < PORT_ATTEMPTS && log.contains("Address already in use") =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name.
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// The superuser's password.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The folder that holds the cluster and the log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// Connection settings of the superuser for a control connection.
    pub fn superuser_config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(self.host())
            .port(self.port)
            .user(SUPERUSER)
            .password(self.password.expose())
            .dbname(database);
        config
    }

    /// Stops the server: sessions are ended, then, after ten seconds, the processes.
    pub fn stop(mut self) -> Result<(), PostgresError> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Result<(), PostgresError> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        let mut orders = keeper.stdin.take();
        for (order, timeout) in [("fast\n", FAST_STOP_TIMEOUT), ("immediate\n", IMMEDIATE_STOP_TIMEOUT)] {
            if let Some(pipe) = orders.as_mut() {
                // A broken pipe means that the keeper has ended, which the wait below sees.
                let _ = pipe.write_all(order.as_bytes());
            }
            let deadline = Instant::now() + timeout;
            while Instant::now() < deadline {
                if matches!(keeper.try_wait(), Ok(Some(_))) {
                    return Ok(());
                }
                thread::sleep(POLL);
            }
        }
        Err(PostgresError::NotStopped)
    }

    fn wait_until_ready(&mut self) -> Result<(), PostgresError> {
        let deadline = Instant::now() + READY_TIMEOUT;
        let pid_file = self.dir.join("data").join("postmaster.pid");
        while Instant::now() < deadline {
            if let Some(Ok(Some(status))) = self.keeper.as_mut().map(Child::try_wait) {
                return Err(PostgresError::EndedEarly { status, log: log_tail(&self.log()) });
            }
            if fs::read_to_string(&pid_file).is_ok_and(|text| says_ready(&text, self.port)) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(PostgresError::NotReady { log: log_tail(&self.log()) })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Nobody is left to tell; `stop` reports.
        let _ = self.shut_down();
    }
}

fn home(dir: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), PostgresError> {
    match dir {
        Some(dir) => {
            fs::create_dir_all(dir).map_err(io_error("create", dir))?;
            let dir = dir.canonicalize().map_err(io_error("open", dir))?;
            Ok((dir, None))
        }
        None => {
            let temporary = tempfile::Builder::new()
                .prefix("tollgate-postgres-")
                .tempdir()
                .map_err(io_error("create a folder in", &std::env::temp_dir()))?;
            // Others may pass through, not look in.
            fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o711))
                .map_err(io_error("open to others", temporary.path()))?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

fn initialise(
    binaries: &Binaries,
    dir: &Path,
    data: &Path,
    password: &Secret,
    user: Option<&User>,
) -> Result<(), PostgresError> {
    fs::create_dir_all(data).map_err(io_error("create", data))?;
    let password_file = tempfile::NamedTempFile::new_in(dir).map_err(io_error("write in", dir))?;
    fs::write(password_file.path(), password.expose()).map_err(io_error("write", password_file.path()))?;
    if let Some(user) = user {
        for path in [data, password_file.path()] {
            chown(path, Some(user.uid), Some(user.gid)).map_err(io_error("change the owner of", path))?;
        }
    }
    let program = binaries.program("initdb");
    let mut command = as_user(&program, user);
    command
        .args(["-A", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync", "-U", SUPERUSER])
        .arg("--pwfile")
        .arg(password_file.path())
        .arg("-D")
        .arg(data)
        .stdin(Stdio::null());
    let output = command.output().map_err(io_error("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    // A half-made cluster would be taken for a whole one at the next start.
    let _ = fs::remove_dir_all(data);
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(PostgresError::Program { program, output })
}

fn launch(
    binaries: &Binaries,
    dir: &Path,
    port: u16,
    options: &PostgresOptions,
    user: Option<&User>,
) -> Result<Child, PostgresError> {
    let log_path = dir.join("postgres.log");
    let log = fs::File::create(&log_path).map_err(io_error("write", &log_path))?;
    let log_again = log.try_clone().map_err(io_error("write", &log_path))?;
    let mut command = as_user(Path::new("/bin/sh"), user);
    command.args(["-c", KEEPER, "keeper"]).arg(binaries.program("postgres"));
    command.arg("-D").arg(dir.join("data"));
    let port = port.to_string();
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        ("unix_socket_directories", ""),
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("max_connections", "200"),
        ("shared_buffers", "128MB"),
    ];
    if options.log_statements {
        settings.extend([("log_statement", "all"), ("log_line_prefix", "%m [%p] %q%u@%d ")]);
    }
    settings.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    // A group of its own: Ctrl-C at the terminal is ours to answer, not the server's.
    command.process_group(0).stdin(Stdio::piped()).stdout(log).stderr(log_again);
    command.spawn().map_err(io_error("run", Path::new("/bin/sh")))
}

fn as_user(program: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    // The environment could redirect the server to another cluster.
    for name in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGOPTIONS"] {
        command.env_remove(name);
    }
    command
}

fn says_ready(pid_file: &str, port: u16) -> bool {
    let line = |number: usize| pid_file.lines().nth(number).map(str::trim);
    line(PID_FILE_PORT_LINE) == Some(port.to_string().as_str()) && line(PID_FILE_STATUS_LINE) == Some("ready")
}

fn log_tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines.into_iter().skip(start).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_of_another_port_says_nothing() {
        let text = "1\n/d\n9\n5433\n\n127.0.0.1\n 1 2\nready   \n";
        assert!(says_ready(text, 5433));
        assert!(!says_ready(text, 5434));
        assert!(!says_ready("1\n/d\n9\n5433\n\n127.0.0.1\n 1 2\nstarting\n", 5433));
    }

    #[test]
    fn a_folder_without_the_programs_is_refused_with_what_to_install() {
        let empty = tempfile::tempdir().unwrap();
        let error = Postgres::find(Some(empty.path())).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql"), "{error}");
        assert!(error.contains("--pg-bin"), "{error}");
    }

    #[test]
    fn a_server_starts_answers_and_leaves_nothing() {
        let server = Postgres::start(PostgresOptions::default()).unwrap();
        let (dir, port) = (server.dir().to_owned(), server.port());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        server.stop().unwrap();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!dir.exists());
    }
}
