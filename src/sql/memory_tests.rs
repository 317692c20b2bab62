#![allow(clippy::string_slice, reason = "a test fails by panicking")]

use super::super::lex::{Kind, StringForm, lex};
use super::super::{ScopeBounds, SessionChange};
use super::*;
use crate::catalog::{RelationEntry, Snapshot};
use crate::sql::Class;

fn scope() -> Scope {
    let bounds = ScopeBounds { prepared_max: 9, cursors_max: 9, temp_relations_max: 9, savepoints_max: 9 };
    Scope::new("tollgate", "dev", &["public".to_owned()], bounds)
}

fn memory() -> Memory {
    Memory::new(TextBounds::default(), NonZeroUsize::new(1 << 24).unwrap())
}

fn kept(memory: &Memory) -> usize {
    memory.kept.len()
}

/// Values that mislead whoever takes them for more than values.
const TEXTS: [&str; 8] = [
    "''",
    "'orders.daily'",
    "'it''s; DROP TABLE x --'",
    "'$user, sandbox'",
    "'*/'",
    "'s3://b'",
    "'1'",
    "'\u{e9} /*'",
];
const NUMBERS: [&str; 3] = ["0", "7", "123456"];

/// The text with other literals in the places of its own.
fn varied(text: &str, round: usize) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    for (n, token) in lex(text).ok()?.iter().enumerate() {
        let other = match &token.kind {
            Kind::Text { form: StringForm::Plain, .. } if text[token.start..token.end].starts_with('\'') => {
                TEXTS[(n + round) % TEXTS.len()]
            }
            Kind::Number(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                NUMBERS[(n + round) % NUMBERS.len()]
            }
            _ => continue,
        };
        out.push_str(&text[copied..token.start]);
        out.push_str(other);
        copied = token.end;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

/// Everything that the tests know to be sent, allowed and refused alike.
fn texts() -> Vec<String> {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = Vec::new();
    for folder in ["traffic", "bypass", "golden"] {
        for file in std::fs::read_dir(tests.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let text = std::fs::read_to_string(path).unwrap();
                found.extend(text.split_inclusive(';').map(str::to_owned));
                found.push(text);
            }
        }
    }
    found.extend(
        [
            "select set_config('application_name', 'a', false)",
            "select pg_cancel_backend(1)",
            "select * from t where a = 'x' and b in (1, 2, 3) limit 10",
            "with a as (select 'x' as y) insert into t select y, 5 from a",
            "set query_group to 'x'; select 'a' -- b\n from t; reset query_group",
            "update t set a = 'x', b = 1.5 where c = 'y'",
            "select interval '1 day', date_trunc('month', d), cast('5' as int) from s.t",
            "select 'a'\n 'b', \"x''y\" from t /* c */ ;",
        ]
        .map(str::to_owned),
    );
    found
}

#[test]
fn what_is_remembered_is_what_would_be_understood() {
    let memory = memory();
    let (scope, bounds) = (scope(), TextBounds::default());
    let mut hits = 0;
    for text in texts() {
        assert_eq!(memory.understand(&text, &scope), understand(&text, &scope, &bounds), "{text}");
        for round in 0..TEXTS.len() {
            let Some(other) = varied(&text, round) else { continue };
            let before = kept(&memory);
            assert_eq!(memory.understand(&other, &scope), understand(&other, &scope, &bounds), "{other}");
            hits += usize::from(kept(&memory) == before);
        }
    }
    assert!(hits > 1000 && kept(&memory) > 100, "{hits} {}", kept(&memory));
}

#[test]
fn literals_that_tell_effects_are_part_of_the_key() {
    let memory = memory();
    let scope = scope();
    let of = |text: &str| memory.understand(text, &scope).unwrap().remove(0).facts;
    assert_ne!(of("set query_group to 'a'"), of("set query_group to 'b'"));
    assert_ne!(of("select pg_cancel_backend(1)").signals, of("select pg_cancel_backend(2)").signals);
    let set = |value: &str| of(&format!("select set_config('work_mem', '{value}', true)")).session.clone();
    assert_ne!(set("1"), set("2"));
}

#[test]
fn another_path_temporary_table_or_catalog_is_another_meaning() {
    let memory = memory();
    let mut scope = scope();
    let reads =
        |scope: &Scope| memory.understand("select 1 from daily", scope).unwrap()[0].facts.reads.clone();
    let public = reads(&scope);
    assert_eq!(kept(&memory), 1);
    let mut set = Facts::plain(Class::Session, "SET");
    let values = vec!["orders".to_owned()];
    set.session.push(SessionChange { setting: "search_path".to_owned(), values, local: false });
    scope.apply(&set).unwrap();
    let orders = reads(&scope);
    assert_ne!(public, orders);
    let entry = RelationEntry { schema: "x".into(), name: "y".into(), ..RelationEntry::default() };
    let catalog = Arc::new(Catalog::new(Snapshot { relations: vec![entry], ..Snapshot::default() }));
    scope.go_by(Some(&catalog));
    assert_eq!(
        reads(&scope),
        understand("select 1 from daily", &scope, &TextBounds::default()).unwrap()[0].facts.reads
    );
    scope.go_by(None);
    let mut made = Facts::plain(Class::Ddl, "CREATE TABLE");
    made.creates.insert(crate::sql::Relation::temp("daily"));
    scope.apply(&made).unwrap();
    assert!(reads(&scope).iter().all(crate::sql::Relation::is_temp));
}

#[test]
fn what_is_kept_stays_within_its_bound() {
    let memory = Memory::new(TextBounds::default(), NonZeroUsize::new(20 * 1024).unwrap());
    for n in 0..1000 {
        let _ = memory.understand(&format!("select a{n} from t"), &scope()).unwrap();
    }
    assert!(kept(&memory) <= 20, "{}", kept(&memory));
}
