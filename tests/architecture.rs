//! The house's own rules, held by reading the source.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules without IO, tasks, clocks and environment.
const PURE: [&str; 7] = ["catalog/", "document.rs", "refusal.rs", "wire/", "sql/", "policy/", "session/"];
const IMPURE: [&str; 9] = [
    "tokio::",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "net::Tcp",
    "SystemTime::now",
    "Instant::now",
    "tracing::",
];
/// What each module may not import: imports run downwards.
const DOWNWARDS: [(&str, &[&str]); 9] = [
    (
        "catalog/",
        &["sql", "policy", "session", "identity", "limits", "audit", "warehouse", "net", "config", "admin"],
    ),
    (
        "wire/",
        &["sql", "policy", "session", "identity", "limits", "audit", "warehouse", "net", "config", "admin"],
    ),
    (
        "sql/",
        &["policy", "session", "identity", "limits", "audit", "warehouse", "net", "config", "admin", "wire"],
    ),
    ("policy/", &["session", "identity", "limits", "audit", "warehouse", "net", "config", "admin", "wire"]),
    ("audit/", &["session", "identity", "limits", "warehouse", "net", "admin", "wire", "cli"]),
    ("limits/", &["session", "identity", "warehouse", "net", "admin", "wire", "cli"]),
    ("session/", &["net", "warehouse", "config", "admin", "cli", "demo", "transport"]),
    ("warehouse/", &["net", "session", "policy", "admin", "cli", "demo"]),
    ("admin/", &["net", "session", "policy", "sql", "cli", "demo"]),
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The code that runs: without a file's tests at its end and without comments.
fn code(text: &str) -> String {
    let own = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = own.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/")
}

#[test]
fn pure_modules_touch_neither_files_nor_network_nor_clock() {
    for (name, text) in sources() {
        if is_test(&name) || !PURE.iter().any(|module| name.starts_with(module)) {
            continue;
        }
        let code = code(&text);
        for word in IMPURE {
            assert!(!code.contains(word), "src/{name} uses `{word}`");
        }
    }
}

#[test]
fn imports_run_downwards() {
    for (name, text) in sources() {
        let code = code(&text);
        for (module, forbidden) in DOWNWARDS {
            if is_test(&name) || !name.starts_with(module) {
                continue;
            }
            for other in forbidden {
                assert!(!code.contains(&format!("crate::{other}::")), "src/{name} imports `{other}`");
            }
        }
        let shell = ["net/", "cli/", "main.rs", "lib.rs"].iter().any(|part| name.starts_with(part));
        assert!(shell || !code.contains("crate::net::"), "src/{name} imports `net`");
    }
}

#[test]
fn only_policy_makes_permits_and_only_audit_makes_records() {
    for (name, text) in sources() {
        let code = code(&text);
        if !name.starts_with("policy/") {
            assert!(!code.contains("Permit::new("), "src/{name} makes a permit");
        }
        if !name.starts_with("audit/") {
            assert!(!code.contains("Recorded {"), "src/{name} makes a record");
        }
    }
}

#[test]
fn no_file_is_a_monster() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 450 || is_test(&name), "src/{name} has {lines} lines");
    }
}
