//! From a text to facts: no panic, no overflow, and each statement means by itself what it means in its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::sql::{Scope, ScopeBounds, TextBounds, understand};

fuzz_target!(|text: &str| {
    let bounds = ScopeBounds { prepared_max: 8, cursors_max: 8, temp_relations_max: 8, savepoints_max: 8 };
    let mut scope = Scope::new("svc", "dev", &["public".to_owned(), "orders".to_owned()], bounds);
    let Ok(statements) = understand(text, &scope, &TextBounds::default()) else { return };
    for statement in statements {
        let alone = understand(&statement.text, &scope, &TextBounds::default());
        match alone.as_deref() {
            Ok([only]) => assert_eq!(only.facts, statement.facts, "{text:?}"),
            other => panic!("{text:?}: {:?} alone is {other:?}", statement.text),
        }
        let _ = scope.apply(&statement.facts);
    }
    scope.abort();
    scope.settle();
});
