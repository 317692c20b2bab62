//! The command line, one file per subcommand.
//!
//! Exit codes: 0 fine, 1 the answer is no, 2 usage, 3 could not run.

mod audit;
mod catalog;
pub mod certs;
mod check;
mod decide;
mod demo;
mod hash_password;
mod serve;
mod views;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// Could not run.
pub(crate) const FAILED: u8 = 3;

#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about = "A SQL governance proxy between BI tools and Amazon Redshift")]
struct Arguments {
    /// What is logged: `info`, `debug`, or a filter such as `tollgate=debug`.
    #[arg(long, global = true, env = "TOLLGATE_LOG", default_value = "info")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as `tollgate.yaml` says.
    Serve(serve::Arguments),
    /// Try everything on a private PostgreSQL with sample data.
    Demo(demo::Arguments),
    /// Tell every problem of configuration and rules.
    Check(check::Arguments),
    /// Tell what would become of statements, without running them.
    Decide(decide::Arguments),
    /// Write down what the warehouse holds.
    Catalog(catalog::Arguments),
    /// Read and verify the audit.
    Audit(audit::Arguments),
    /// Read a password from standard input and print its SCRAM verifier.
    HashPassword(hash_password::Arguments),
    /// Make a development certificate authority and a server certificate.
    Certs(certs::Arguments),
    /// Print a completion script.
    Completions { shell: Shell },
}

/// Where the configuration stands; the same option for every command that reads it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConfigPath {
    /// The configuration.
    #[arg(long, global = true, env = "TOLLGATE_CONFIG", default_value = "tollgate.yaml")]
    pub config: PathBuf,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let Arguments { log, command } = Arguments::parse();
    if let Err(error) = crate::telemetry::logs(&log) {
        return told(&error);
    }
    let code = match command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Decide(arguments) => decide::run(&arguments),
        Command::Catalog(arguments) => catalog::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::HashPassword(arguments) => hash_password::run(&arguments),
        Command::Certs(arguments) => certs::run(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "tollgate", &mut io::stdout());
            0
        }
    };
    ExitCode::from(code)
}

/// An error that kept a command from running, with its causes, on standard error.
pub(crate) fn could_not(error: &dyn std::error::Error) -> u8 {
    eprint!("tollgate: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    eprintln!();
    FAILED
}

fn told(error: &dyn std::error::Error) -> ExitCode {
    ExitCode::from(could_not(error))
}
