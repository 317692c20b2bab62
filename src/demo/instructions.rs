//! What the demo prints once it runs, ready to paste.

use super::Prepared;
use super::examples::{EXAMPLES, Sender};
use super::state::State;

/// Prints connection settings, the examples and the audit command on standard output.
pub fn print_instructions(prepared: &Prepared) {
    let seconds = prepared.elapsed().as_secs_f64();
    println!("\nThe demo runs, {seconds:.1} s after its start. Ctrl-C ends it.\n");
    print!("{}", instructions(prepared.state()));
}

fn instructions(state: &State) -> String {
    let State { port, database, .. } = state;
    let ca = state.ca.display();
    let password = |name: &str| state.accounts.get(name).map(String::as_str).unwrap_or_default();
    let options =
        format!("host=localhost port={port} dbname={database} sslmode=verify-full sslrootcert={ca}");
    let ana = &state.person.name;
    let redash = password("redash");
    let tableau = password("tableau");
    let dbt = password("dbt_prod");
    let mut text = format!(
        "psql
  as Redash's service account:
    PGPASSWORD={redash} psql \"{options} user=redash\"
  as {ana} of orders-analysts, with a signed token for a password:
    PGPASSWORD=$(cat '{dir}/secrets/ana.token') psql \"{options} user={ana}\"
  as dbt's service account, the steward of every domain:
    PGPASSWORD={dbt} psql \"{options} user=dbt_prod\"

Redash (data source of type PostgreSQL or Redshift)
    Host localhost   Port {port}   Database {database}   User redash   Password {redash}
    SSL mode verify-full   CA {ca}

Tableau (Amazon Redshift or PostgreSQL connector)
    Server localhost   Port {port}   Database {database}   Username tableau   Password {tableau}
    Require SSL, CA {ca}
    Initial SQL: SET app_context.user_id TO [TableauServerUser]

Six statements to try (`tollgate demo --check --port {port}` plays them all)
",
        dir = state.dir.display(),
    );
    for (number, example) in (1..).zip(&EXAMPLES) {
        let sender = match example.sender {
            Sender::Redash => "redash",
            Sender::Ana => ana,
        };
        let (sql, outcome) = (example.sql, example.outcome);
        text.push_str(&format!("  {number}. as {sender}: {outcome}\n       {sql};\n"));
    }
    let audit = state.audit_dir.display();
    text.push_str(&format!(
        "\nEvery statement's record
    tollgate audit tail --dir '{audit}'
    tollgate audit search --dir '{audit}' --format json
    tollgate audit verify --dir '{audit}'\n"
    ));
    text
}
