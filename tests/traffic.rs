//! What real tools send is allowed, every statement of it, and answered as without a gate.
//!
//! Each file of `tests/traffic` names in its first line whom its statements are sent as, and where they
//! are from in its second.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::House;
use tokio_postgres::Client;
use tollgate::sql::{Scope, ScopeBounds, TextBounds, understand};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traffic");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_statement_of_every_tool_is_allowed() {
    let mut refused = Vec::new();
    let mut count = 0;
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        let whom: Vec<&str> = text.lines().next().unwrap().split(' ').skip(2).collect();
        let mut decide = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        decide.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
        decide.args(["decide", "--format", "json", "--as", whom[0]]);
        if let Some(groups) = whom.get(1) {
            decide.args(["--groups", groups]);
        }
        let output = decide.arg(&file).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        count += told.lines().count();
        refused.extend(told.lines().filter(|line| !line.contains(r#""verdict":"allow""#)).map(str::to_owned));
    }
    println!("{count} statements, {} refused", refused.len());
    assert!(count > 150, "{count}");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The statements of a file, each as it would be sent.
fn statements(file: &Path) -> Vec<String> {
    let bounds =
        ScopeBounds { prepared_max: 10, cursors_max: 10, temp_relations_max: 10, savepoints_max: 10 };
    let scope = Scope::new("svc", "dev", &["public".to_owned()], bounds);
    let text = fs::read_to_string(file).unwrap();
    let found = understand(&text, &scope, &TextBounds::default()).unwrap();
    found.iter().map(|statement| statement.text.to_string()).collect()
}

/// `00000` or the error's code, with its text.
async fn answer(client: &Client, sql: &str) -> (String, String) {
    match client.simple_query(sql).await {
        Ok(_) => ("00000".to_owned(), String::new()),
        Err(error) => {
            let error = error.as_db_error().unwrap();
            (error.code().code().to_owned(), error.message().to_owned())
        }
    }
}

#[test]
fn what_tools_send_is_answered_as_without_a_gate() {
    let house = House::build();
    house.warehouse(
        "dev",
        "CREATE TABLE orders.orders (order_id int, status text, amount numeric, ordered_at timestamp)",
    );
    let gate = house.gate();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut other = Vec::new();
        for name in ["psql", "pgadmin", "drivers", "metabase", "redash", "tableau"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/traffic/{name}.sql"));
            let through = gate.connect("analyst").await.unwrap();
            let direct = tollgate::demo::data::connect(&house.postgres, "dev").await.unwrap();
            // The account here is not one that tells an end user.
            for sql in statements(&file).into_iter().filter(|sql| !sql.contains("app_context")) {
                let (gated, told) = answer(&through, &sql).await;
                let (plain, _) = answer(&direct, &sql).await;
                if gated != plain || told.starts_with("tollgate:") {
                    other.push(format!("{name}: {gated} for {plain} ({told}): {sql}"));
                }
            }
        }
        assert!(other.is_empty(), "{}", other.join("\n"));
    });
}
