//! Queries that sqlsmith makes up for the demo's data.

use std::io;
use std::process::{Command, Stdio};

use tollgate::config::Secret;
use tollgate::demo::data::{self, LoadError, UpstreamPasswords};
use tollgate::demo::postgres::{Postgres, PostgresError, PostgresOptions};

use crate::texts::Source;

/// Why there are no generated queries.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("no PostgreSQL to generate for")]
    Postgres(#[from] PostgresError),
    #[error("no data to generate for")]
    Load(#[from] LoadError),
    #[error("no runtime")]
    Runtime(#[source] io::Error),
}

/// What came of asking for queries.
#[derive(Debug)]
pub enum Generated {
    Queries(Source),
    /// sqlsmith is not installed.
    Absent,
}

/// Queries for the demo's data, the same for the same seed.
pub fn generated(queries: usize, seed: u64) -> Result<Generated, GenerateError> {
    if Command::new("sqlsmith").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    {
        return Ok(Generated::Absent);
    }
    let server = Postgres::start(PostgresOptions::default())?;
    let passwords = UpstreamPasswords { tollgate: Secret::new("tollgate"), dbt: Secret::new("dbt") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(GenerateError::Runtime)?.block_on(data::load(&server, &passwords))?;
    let target = format!(
        "host={} port={} dbname={} user={} password={}",
        server.host(),
        server.port(),
        data::DATABASE,
        server.superuser(),
        server.password().expose()
    );
    let output = Command::new("sqlsmith")
        .args(["--dry-run", &format!("--max-queries={queries}"), &format!("--seed={seed}")])
        .arg(format!("--target={target}"))
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else { return Ok(Generated::Absent) };
    let printed = String::from_utf8_lossy(&output.stdout);
    let texts = printed.split(";\n").map(str::trim).filter(|query| !query.is_empty()).map(str::to_owned);
    Ok(Generated::Queries(Source { name: "sqlsmith".to_owned(), texts: texts.collect() }))
}
