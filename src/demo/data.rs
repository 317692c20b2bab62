//! The demo's warehouse: six domains of sample data, the same at every start.

use tokio_postgres::{Client, NoTls};

use super::postgres::Postgres;
use crate::config::Secret;

/// The database that holds the sample data, named as Redshift names its first.
pub const DATABASE: &str = "dev";

/// Each domain with the statements that make and fill its tables.
const DOMAINS: [(&str, &str); 6] = [
    ("ecommerce", include_str!("sql/ecommerce.sql")),
    ("orders", include_str!("sql/orders.sql")),
    ("logistics", include_str!("sql/logistics.sql")),
    ("users", include_str!("sql/users.sql")),
    ("marketing", include_str!("sql/marketing.sql")),
    ("finances", include_str!("sql/finances.sql")),
];

/// Why the sample data could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot connect to the demo's warehouse")]
    Connect(#[source] tokio_postgres::Error),
    #[error("cannot load {what}")]
    Load { what: &'static str, source: tokio_postgres::Error },
}

/// The passwords of the two logins that the gate uses upstream.
#[derive(Debug, Clone)]
pub struct UpstreamPasswords {
    pub tollgate: Secret,
    pub dbt: Secret,
}

/// Opens a control connection without TLS, for a server on loopback.
pub async fn connect(server: &Postgres, database: &str) -> Result<Client, LoadError> {
    let (client, connection) =
        server.superuser_config(database).connect(NoTls).await.map_err(LoadError::Connect)?;
    // Its errors reach the client's own calls.
    tokio::spawn(connection);
    Ok(client)
}

/// Makes the database, roles, schemas and tables where they do not exist; returns the number of rows
/// in all tables, as the planner knows it.
pub async fn load(server: &Postgres, passwords: &UpstreamPasswords) -> Result<u64, LoadError> {
    let failed = |what| move |source| LoadError::Load { what, source };
    let maintenance = connect(server, "postgres").await?;
    let known = maintenance
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE])
        .await
        .map_err(failed("the database"))?;
    if known.is_none() {
        let create = format!("CREATE DATABASE {DATABASE}");
        maintenance.batch_execute(&create).await.map_err(failed("the database"))?;
    }
    let client = connect(server, DATABASE).await?;
    let loaded = client
        .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = 'sandbox_finances'", &[])
        .await
        .map_err(failed("the schemas"))?;
    if loaded.is_none() {
        // One transaction: a start that was cut off leaves nothing half-loaded.
        let roles = roles_sql(passwords);
        let domains: String = DOMAINS.iter().map(|(name, sql)| domain_sql(name, sql)).collect();
        client
            .batch_execute(&format!("BEGIN; {roles} {domains} COMMIT;"))
            .await
            .map_err(failed("the sample data"))?;
        client.batch_execute("ANALYZE").await.map_err(failed("the statistics"))?;
    }
    let row = client
        .query_one(
            "SELECT coalesce(sum(c.reltuples), 0)::bigint FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'",
            &[],
        )
        .await
        .map_err(failed("the row count"))?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}

fn roles_sql(passwords: &UpstreamPasswords) -> String {
    include_str!("sql/roles.sql")
        .replace(":tollgate", &literal(passwords.tollgate.expose()))
        .replace(":dbt", &literal(passwords.dbt.expose()))
}

fn domain_sql(name: &str, tables: &str) -> String {
    let mart = format!("{name}_mart");
    let sandbox = format!("sandbox_{name}");
    format!(
        "CREATE SCHEMA {name}; CREATE SCHEMA {mart}; CREATE SCHEMA {sandbox} AUTHORIZATION tollgate;
         {tables}
         GRANT ALL ON SCHEMA {name}, {mart}, {sandbox} TO tollgate, dbt;
         GRANT ALL ON ALL TABLES IN SCHEMA {name}, {mart} TO tollgate, dbt;\n"
    )
}

/// A string literal of SQL with standard-conforming strings.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::postgres::PostgresOptions;

    #[test]
    fn the_roles_script_has_no_open_place_left() {
        let passwords = UpstreamPasswords { tollgate: Secret::new("a'b"), dbt: Secret::new("c") };
        let sql = roles_sql(&passwords);
        assert!(sql.contains("PASSWORD 'a''b'") && sql.contains("PASSWORD 'c'"), "{sql}");
        assert!(!sql.contains(":dbt") && !sql.contains(":tollgate"));
    }

    #[tokio::test]
    async fn the_sample_data_is_loaded_once_and_is_always_the_same() {
        let server = tokio::task::spawn_blocking(|| Postgres::start(PostgresOptions::default()))
            .await
            .unwrap()
            .unwrap();
        let passwords = UpstreamPasswords { tollgate: Secret::new("t"), dbt: Secret::new("d") };
        let rows = load(&server, &passwords).await.unwrap();
        assert!((190_000..230_000).contains(&rows), "{rows} rows");
        assert_eq!(load(&server, &passwords).await.unwrap(), rows);
        let client = connect(&server, DATABASE).await.unwrap();
        let paid: i64 = client
            .query_one("SELECT count(*) FROM orders.orders WHERE status = 'paid'", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(paid, 7500);
    }
}
