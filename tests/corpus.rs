//! Real SQL of two corpora against labels written by hand: what is judged is never judged more harmless.
//!
//! The corpora are not part of this project: `TOLLGATE_CORPORA` names their folder, `../shared/corpora`
//! where it is not set. The labels in `tests/corpus` name each statement by its file and its place in it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;

use tollgate::sql::{Class, Scope, ScopeBounds, TextBounds, understand};

struct Label {
    accepted: bool,
    class: String,
    changes: BTreeSet<String>,
    leaves: bool,
}

/// In the order of strength.
const CLASSES: [&str; 10] =
    ["read", "transaction", "session", "maintenance", "write", "ddl", "call", "egress", "dcl", "unknown"];

fn strength(class: &str) -> usize {
    CLASSES.iter().position(|name| *name == class).unwrap_or_else(|| panic!("no class `{class}`"))
}

fn labels(name: &str) -> HashMap<(String, usize), Label> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let text = fs::read_to_string(path).unwrap();
    let mut labels = HashMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, n, accepted, class, changes, egress] = fields[..] else { panic!("{name}: {line}") };
        let changes = changes.split(' ').filter(|change| !matches!(*change, "" | "-"));
        let label = Label {
            accepted: accepted != "no",
            class: class.to_owned(),
            changes: changes.map(str::to_owned).collect(),
            leaves: egress != "-",
        };
        labels.insert((file.to_owned(), n.parse().unwrap()), label);
    }
    labels
}

/// Statements by file and place, or `None` where there is no such corpus here.
fn corpus(name: &str) -> Option<Vec<((String, usize), String)>> {
    let folder = std::env::var_os("TOLLGATE_CORPORA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"), PathBuf::from);
    let Ok(text) = fs::read_to_string(folder.join(name)) else {
        eprintln!("skipped: no corpus {name}; TOLLGATE_CORPORA names its folder");
        return None;
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    let read = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = object["file"].as_str().unwrap().to_owned();
        let place = places.entry(file.clone()).or_default();
        *place += 1;
        ((file, *place), object["sql"].as_str().unwrap().to_owned())
    };
    Some(text.lines().map(read).collect())
}

/// What was found of one corpus.
#[derive(Default)]
struct Found {
    judged: usize,
    accepted: usize,
    unknown: Vec<String>,
    milder: Vec<String>,
}

fn judge(corpus: Vec<((String, usize), String)>, labels: &HashMap<(String, usize), Label>) -> Found {
    let bounds =
        ScopeBounds { prepared_max: 10, cursors_max: 10, temp_relations_max: 10, savepoints_max: 10 };
    let mut found = Found::default();
    for (place, sql) in corpus {
        let label = labels.get(&place).unwrap_or_else(|| panic!("{place:?} has no label"));
        let scope = Scope::new("svc", "dev", &["public".to_owned()], bounds);
        found.judged += 1;
        found.accepted += usize::from(label.accepted);
        let told = format!("{} {}: {}", place.0, place.1, sql.lines().next().unwrap_or_default());
        let statements = match understand(&sql, &scope, &TextBounds::default()) {
            Ok(statements) if statements.iter().all(|one| one.facts.class != Class::Unknown) => statements,
            Ok(_) | Err(_) => {
                found.unknown.extend(label.accepted.then_some(told));
                continue;
            }
        };
        let class = statements.iter().map(|one| one.facts.class).max().unwrap_or(Class::Read);
        let doubted = statements.iter().any(|one| !one.facts.doubts.is_empty());
        let named: BTreeSet<String> = statements
            .iter()
            .flat_map(|one| one.facts.targets().into_iter().chain(&one.facts.locks))
            .map(ToString::to_string)
            .collect();
        let leaves = statements.iter().any(|one| !one.facts.egress.is_empty());
        let missed: Vec<&String> = label.changes.difference(&named).collect();
        // A doubt refuses the statement, whatever it names.
        let mild = strength(class.as_str()) < strength(&label.class)
            || (!doubted && (!missed.is_empty() || (label.leaves && !leaves)));
        if mild {
            let kind = class.as_str();
            found.milder.push(format!("{told}\n    {kind} for {}, {missed:?} of {named:?}", label.class));
        }
    }
    found
}

#[test]
fn every_redshift_statement_is_judged_and_none_more_mildly_than_its_label() {
    let labels = labels("redshift.tsv");
    let Some(corpus) = corpus("sqlfluff_redshift.jsonl") else { return };
    let found = judge(corpus, &labels);
    println!(
        "redshift: {} judged, {} accepted, {} unknown",
        found.judged,
        found.accepted,
        found.unknown.len()
    );
    assert!(found.unknown.is_empty(), "{}", found.unknown.join("\n"));
    assert!(found.milder.is_empty(), "{}", found.milder.join("\n"));
}

#[test]
fn postgres_statements_are_understood_and_none_more_mildly_than_its_label() {
    let labels = labels("postgres.tsv");
    let Some(corpus) = corpus("sqlfluff_postgres.jsonl") else { return };
    let found = judge(corpus, &labels);
    println!(
        "postgres: {} judged, {} accepted, {} unknown",
        found.judged,
        found.accepted,
        found.unknown.len()
    );
    assert!(found.unknown.len() * 100 <= found.accepted * 3, "{}", found.unknown.join("\n"));
    assert!(found.milder.is_empty(), "{}", found.milder.join("\n"));
}
