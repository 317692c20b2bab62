//! A snapshot of what the warehouse holds, read on a session of its own.

pub mod file;
mod questions;
mod rows;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::time::Duration;

pub use self::file::FileFault;
use self::questions::Questions;
use self::rows::Rows;
use super::connect::Warehouse;
use super::login::LoginFault;
use super::query::{Control, QueryFault, refusal};
use crate::catalog::Snapshot;
use crate::config::UpstreamLogin;

/// What the server is told of one question's time.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(120);
/// All of a snapshot, from the login on.
const LOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(transparent)]
    Login(LoginFault),
    #[error("the warehouse refused the login: {0}")]
    Refused(QueryFault),
    #[error(transparent)]
    Query(#[from] QueryFault),
    #[error(
        "the warehouse holds more than {max} relations; a larger `bounds.catalog_relations_max` takes them"
    )]
    TooManyRelations { max: usize },
    #[error("the warehouse's catalog holds more than {max} {what}")]
    TooMany { what: &'static str, max: usize },
    #[error("the warehouse's catalog was not read in time")]
    Timeout,
    #[error("a task of the snapshot ended before its time")]
    Interrupted,
}

impl From<LoginFault> for LoadFault {
    fn from(fault: LoginFault) -> Self {
        match fault {
            LoginFault::Refused(body) => Self::Refused(refusal(&body)),
            other => Self::Login(other),
        }
    }
}

/// Reads the catalog as `login`. Not cancel safe: a snapshot half read is dropped.
pub async fn load(
    warehouse: &Warehouse,
    login: &UpstreamLogin,
    database: &str,
    relations_max: NonZeroUsize,
) -> Result<Snapshot, LoadFault> {
    let work = async {
        let rows = Rows::new(database, relations_max);
        let rows = gather(warehouse, login, database, rows).await?;
        let taken = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        // Views' texts are parsed.
        tokio::task::spawn_blocking(move || rows.finish(taken)).await.map_err(|_| LoadFault::Interrupted)
    };
    tokio::time::timeout(LOAD_TIMEOUT, work).await.map_err(|_| LoadFault::Timeout)?
}

async fn gather(
    warehouse: &Warehouse,
    login: &UpstreamLogin,
    database: &str,
    mut rows: Rows,
) -> Result<Rows, LoadFault> {
    let timeout = QUESTION_TIMEOUT.as_millis().to_string();
    let parameters = [
        ("database", database),
        ("application_name", "tollgate catalog"),
        ("search_path", "pg_catalog"),
        ("client_encoding", "UTF8"),
        ("statement_timeout", &timeout),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let logged_in = warehouse.login(login, &parameters).await?;
    let version = logged_in.parameters.iter().find(|(name, _)| name == "server_version");
    let questions = Questions::of(version.map_or("", |(_, version)| version));
    let mut control = Control::new(logged_in);
    control.ask::<LoadFault>(questions.begin, |_| Ok(())).await?;
    control.ask(questions.relations, |row| rows.relation(row)).await?;
    if let Some(sizes) = questions.sizes {
        control.ask(sizes, |row| rows.size(row)).await?;
    }
    control.ask(questions.columns, |row| rows.column(row)).await?;
    control.ask(questions.lineage, |row| rows.lineage(row)).await?;
    control.ask(questions.functions, |row| rows.function(row)).await?;
    if let Some(question) = questions.late_binding {
        control.ask(question, |row| rows.late_binding(row)).await?;
    }
    control.ask::<LoadFault>("COMMIT", |_| Ok(())).await?;
    if let Some(outside) = &questions.outside {
        // What lies outside may be out of reach; what lies inside is known without it.
        bear(control.ask(outside.view_columns, |row| rows.column(row)).await)?;
        bear(control.ask(outside.tables, |row| rows.relation(row)).await)?;
        bear(control.ask(outside.columns, |row| rows.column(row)).await)?;
    }
    control.end().await;
    Ok(rows)
}

/// A refused question leaves its part unknown.
fn bear(asked: Result<(), LoadFault>) -> Result<(), LoadFault> {
    match asked {
        Err(LoadFault::Query(refused @ QueryFault::Refused { .. })) => {
            tracing::warn!(fault = %refused, "a part of the catalog is not known");
            Ok(())
        }
        other => other,
    }
}
