//! PostgreSQL's parser has nothing to add to what Tollgate understands.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use tollgate_oracle::compare::{Outcome, compare};
use tollgate_oracle::run::run;
use tollgate_oracle::texts::{Generated, corpora, corpora_folder, generated, own};

const MUTATED: usize = 2_500;
const QUERIES: usize = 100;
const SHOWN: usize = 20;

#[test]
fn a_few_thousand_texts_mean_the_same_to_both() {
    let folder = corpora_folder();
    let mut sources = corpora(&folder);
    if sources.is_empty() {
        println!("no corpora in {}: the project's own SQL alone", folder.display());
    }
    sources.push(own());
    match generated(QUERIES, 1).unwrap() {
        Generated::Queries(source) => sources.push(source),
        Generated::Absent => println!("no sqlsmith: no generated queries"),
    }
    let given: usize = sources.iter().map(|source| source.texts.len()).sum();
    let tally = run(&sources, 1, u64::try_from(given + MUTATED).unwrap(), |_| {});
    println!("{tally}");
    assert!(tally.agreed > tally.texts / 10, "{tally}");
    assert_eq!(tally.disagreed, 0, "{tally}\n{}", tally.smallest(SHOWN).join("\n"));
}

#[track_caller]
fn check(text: &str) {
    let outcome = compare(text);
    assert_eq!(outcome, Outcome::Agreed, "{text}");
}

#[test]
fn what_both_understand_is_agreed_on() {
    check("SELECT 1");
    check("WITH gone AS (DELETE FROM orders.daily RETURNING *) SELECT * FROM gone");
    check("EXPLAIN DELETE FROM orders.daily");
    check("EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM orders.daily");
    check("CREATE TEMP TABLE t (a int); INSERT INTO t SELECT 1; DROP TABLE t; SELECT * FROM t");
    check("BEGIN; CREATE TEMP TABLE t (a int); ROLLBACK; DELETE FROM t");
    check("PREPARE p AS DELETE FROM orders.daily; EXECUTE p");
    check("SET search_path TO a, b; UPDATE t SET x = 1");
    check("ALTER TABLE orders.daily RENAME TO gone");
    check("CREATE SCHEMA s");
}

#[test]
fn what_only_one_takes_is_told_apart() {
    assert!(matches!(compare("ALTER TABLE a APPEND FROM b"), Outcome::OtherDialect(_)));
    assert!(matches!(compare("SELECT 1 FROM t U&\"\\0041\" UESCAPE"), Outcome::Refused(_)));
}
