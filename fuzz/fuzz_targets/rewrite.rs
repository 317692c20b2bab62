//! Texts as the audit keeps them: no panic, and what is kept out stays out when it is done again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::audit::redact::redact;
use tollgate::sql::{Scope, ScopeBounds, TextBounds, understand};

fuzz_target!(|text: &str| {
    let once = redact(text).into_owned();
    let bounds = ScopeBounds { prepared_max: 8, cursors_max: 8, temp_relations_max: 8, savepoints_max: 8 };
    let scope = Scope::new("svc", "dev", &["public".to_owned()], bounds);
    // In a text without sense nobody knows what is a secret.
    if understand(text, &scope, &TextBounds::default()).is_ok() {
        assert_eq!(redact(&once), once, "{text:?}");
    }
});
