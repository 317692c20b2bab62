//! Cutting a text into tokens: no panic, and blanks and comments around it change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::sql::fingerprint;

fuzz_target!(|text: &str| {
    let own = fingerprint(text);
    assert_eq!(own.len(), 16);
    // What has no tokens is told by its text.
    let commented = fingerprint(&format!("/* a */ {text}"));
    let blank = fingerprint(&format!("\n{text}"));
    if fingerprint(&format!(" {text}")) == own {
        assert_eq!((&commented, &blank), (&own, &own), "{text:?}");
    }
});
