//! `tollgate decide` as its users run it, on the example company of this repository.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const ANA: [&str; 4] = ["--as", "ana@opetence.example", "--groups", "orders-analysts"];
const KEYS: [&str; 15] = [
    "n",
    "sql",
    "verdict",
    "code",
    "rule",
    "reason",
    "class",
    "command",
    "reads",
    "writes",
    "functions",
    "session",
    "egress",
    "obligations",
    "sqlstate",
];

fn decide(whom: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // What the example names by `env:` must not be needed.
        .env_clear()
        .args(["decide", "--config", "tollgate.yaml", "--format", "json"])
        .args(whom)
        .arg(file)
        .output()
        .unwrap()
}

fn told(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What is decided of a text for ana: exit code and objects.
fn ana(sql: &str) -> (Option<i32>, Vec<Value>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), sql).unwrap();
    let output = decide(&ANA, file.path());
    let objects = told(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), objects)
}

fn sql_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "sql")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Compares with what is kept; `UPDATE_GOLDEN=1` keeps what is found, to be read in the diff.
fn golden(who: &str, whom: &[&str]) {
    let mut wrong = Vec::new();
    for file in sql_files("golden") {
        let output = decide(whom, &file);
        let expected = file.with_extension(format!("{who}.jsonl"));
        let all_allowed = !told(&output).contains(r#""verdict":"deny""#);
        assert_eq!(output.status.code(), Some(i32::from(!all_allowed)), "{}", file.display());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &output.stdout).unwrap();
        }
        let kept = fs::read_to_string(&expected).unwrap_or_default();
        let differs = kept.lines().zip(told(&output).lines()).find(|(kept, found)| kept != found);
        if kept != told(&output) {
            wrong.push(format!("{}: {differs:#?}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_analyst_is_decided_as_kept() {
    golden("ana", &ANA);
}

#[test]
fn a_bi_tool_is_decided_as_kept() {
    golden("redash", &["--as", "redash"]);
}

#[test]
fn a_steward_is_decided_as_kept() {
    golden("dbt_prod", &["--as", "dbt_prod"]);
}

#[test]
fn every_bypass_is_refused() {
    let mut passed = Vec::new();
    for file in sql_files("bypass") {
        let output = decide(&ANA, &file);
        let denied = told(&output).contains(r#""verdict":"deny","code":""#);
        if output.status.code() != Some(1) || !denied {
            passed.push(format!("{}: {}", file.display(), told(&output)));
        }
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[test]
fn every_object_has_the_keys_of_the_contract_in_their_order() {
    for file in sql_files("golden") {
        for line in told(&decide(&ANA, &file)).lines() {
            let mut rest = line;
            for key in KEYS {
                let name = format!("\"{key}\":");
                rest = rest.split_once(&name).unwrap_or_else(|| panic!("{key} in {line}")).1;
            }
            let object: Value = serde_json::from_str(line).unwrap();
            assert_eq!(object.as_object().unwrap().len(), KEYS.len(), "{line}");
        }
    }
}

#[test]
fn the_exit_code_tells_yes_no_and_could_not() {
    assert_eq!(ana("SELECT 1").0, Some(0));
    assert_eq!(ana("SELECT 1; DELETE FROM orders.daily").0, Some(1));
    let missing = decide(&ANA, Path::new("nowhere.sql"));
    assert_eq!((missing.status.code(), told(&missing)), (Some(3), ""));
    assert!(!missing.stderr.is_empty());
}

#[test]
fn a_text_that_is_not_understood_is_one_denial_and_an_empty_one_is_nothing() {
    let (code, objects) = ana("SELECT 1; SELEC 2");
    assert_eq!((code, objects.len()), (Some(1), 1));
    assert_eq!(objects[0]["code"], "not_understood");
    assert_eq!(objects[0]["class"], "unknown");
    assert_eq!(objects[0]["sqlstate"], "42501");
    assert_eq!(ana(" ; -- nothing\n"), (Some(0), Vec::new()));
}

#[test]
fn statements_of_one_text_are_one_session() {
    let verdicts = |sql: &str| -> Vec<String> {
        ana(sql).1.iter().map(|object| object["verdict"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(verdicts("SET search_path TO orders; DELETE FROM daily"), ["allow", "deny"]);
    assert_eq!(verdicts("CREATE TEMP TABLE daily (n int); DELETE FROM daily"), ["allow", "allow"]);
    let verdict_of_last = verdicts("BEGIN; SET search_path TO orders; ROLLBACK; DELETE FROM daily").pop();
    assert_eq!(verdict_of_last.as_deref(), Some("deny"));
    // Each is judged as if sent by itself: what stood before the block outlives its rollback.
    let objects = ana("SET search_path TO orders; BEGIN; ROLLBACK; DELETE FROM daily").1;
    assert_eq!(objects[3]["writes"], serde_json::json!(["orders.daily"]));
}

#[test]
fn text_for_people_says_error_detail_and_hint() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "INSERT INTO orders.daily VALUES (1)").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("decide")
        .args(ANA)
        .arg(file.path())
        .output()
        .unwrap();
    for line in [
        "ERROR:  tollgate: writing to official schema \"orders\" is not allowed (INSERT INTO orders.daily)",
        "DETAIL:  ana@opetence.example, rule rules/domains/orders.yaml:",
        "HINT:  Write to sandbox_orders, or ask for the change: \
            https://github.com/opetence/data/issues/new?labels=orders",
    ] {
        assert!(told(&output).contains(line), "{}", told(&output));
    }
}
