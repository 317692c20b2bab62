//! The world as oracle: hostile statements through the gate, and nothing outside the sandbox changes.
//!
//! The gate's own login upstream may do everything: what protects is the gate alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::string_slice, reason = "a test fails by panicking")]

#[path = "world/place.rs"]
mod place;
#[path = "world/scenes.rs"]
mod scenes;
#[path = "world/stream.rs"]
mod stream;
mod support;
#[path = "world/talk.rs"]
mod talk;

use place::World;
use scenes::Scene;
use stream::{Hostile, Source, kinds};
use talk::Fate;

/// Drawn from the templates.
const STATEMENTS: u64 = 5_000;
/// Statements on one session, before the world is looked at.
const GROUP: usize = 40;
/// After as many changes the test has said enough.
const CHANGES_MAX: usize = 40;

#[derive(Default)]
struct Count {
    refused: usize,
    ran: usize,
}

impl Count {
    fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Refused => self.refused += 1,
            Fate::Ran => self.ran += 1,
        }
    }

    #[track_caller]
    fn tell(&self, changes: &[String]) {
        let Self { refused, ran } = self;
        println!("{} statements, {refused} refused, {ran} ran, {} changes", refused + ran, changes.len());
        assert!(changes.is_empty(), "{}", changes.join("\n"));
    }
}

/// `WORLD_ONLY='a view' WORLD_SHOW=1 cargo test --test world scenes -- --nocapture` plays the scenes whose titles
/// hold these words and shows what is heard; `WORLD_SEED` and `WORLD_STATEMENTS` draw another stream.
fn is_wanted(name: &str) -> bool {
    std::env::var("WORLD_ONLY").map_or(true, |only| name.contains(&only))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/world/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn scenes_of_an_attacker_change_nothing_outside_the_sandbox() {
    play_scenes(false);
}

#[test]
fn scenes_of_an_attacker_change_nothing_where_the_catalog_is_known() {
    play_scenes(true);
}

/// What a steward builds on a sandbox changes with it: not the gate's to hold.
const BUILT_ON_A_SANDBOX: [&str; 4] = [
    "dependents: official rows that lean on rows of the sandbox",
    "dependents: an official heir of the sandbox",
    "dependents: an official heir's columns",
    "dependents: an official partition of the sandbox's table",
];

/// Code of an official schema that runs under the name of a column, a built-in function, an operator, a
/// type: names alone do not tell, the catalog does.
const NOT_TOLD_BY_NAMES: [&str; 8] = [
    "a function by column notation: of a row",
    "a function by column notation: a qualified row",
    "a default of an official domain",
    "a built-in function's name with other types",
    "a built-in function's name with other types, in COPY",
    "an operator on the path",
    "an operator on the path, in a default",
    "a cast of an official type",
];

fn is_open(scene: &str, catalog: bool) -> bool {
    BUILT_ON_A_SANDBOX.contains(&scene) || (!catalog && NOT_TOLD_BY_NAMES.contains(&scene))
}

fn play_scenes(catalog: bool) {
    let mut world = World::build(catalog);
    let mut count = Count::default();
    let mut changes = Vec::new();
    for scene in Scene::all(&read("scenes.txt")).iter().filter(|scene| is_wanted(&scene.name)) {
        let found = scene.play(&mut world, &mut |fate| count.add(fate));
        if scene.is_staged() || !found.is_empty() {
            world.restore();
        }
        // An open one that changes nothing is open no more.
        if is_open(&scene.name, catalog) {
            assert!(!found.is_empty(), "`{}` is closed: take it from the list", scene.name);
        } else if !found.is_empty() {
            changes.push(format!("{}: {}", scene.name, found.join(", ")));
        }
        world.tidy();
    }
    assert!(!world.was_called(), "the server opened a connection");
    count.tell(&changes);
}

#[test]
fn a_stream_of_hostile_statements_changes_nothing_outside_the_sandbox() {
    let source = Source {
        templates: kinds(&read("templates.txt")),
        targets: kinds(&read("targets.txt")),
        wrappers: kinds(&read("wrappers.txt")),
    };
    let number =
        |name: &str, default: u64| std::env::var(name).map_or(default, |number| number.parse().unwrap());
    let statements = source.draw(number("WORLD_SEED", 1), number("WORLD_STATEMENTS", STATEMENTS) as usize);
    check(&statements);
}

#[test]
fn every_known_bypass_changes_nothing_outside_the_sandbox() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bypass");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
    check(&texts.flat_map(|text| Hostile::every_way(&text)).collect::<Vec<_>>());
}

/// No statement of these changes the world, whatever it is told by.
#[track_caller]
fn check(statements: &[Hostile]) {
    let mut world = World::build(true);
    let mut count = Count::default();
    let mut changes = Vec::new();
    for group in statements.chunks(GROUP) {
        changes.extend(stream::play(&mut world, group, &mut |fate| count.add(fate)));
        if changes.len() >= CHANGES_MAX {
            break;
        }
    }
    assert!(!world.was_called(), "the server opened a connection");
    count.tell(&changes);
}

/// What a client may say of its session before there is one.
const OPENINGS: [(&str, &str); 12] = [
    ("search_path", "orders"),
    ("options", "-c search_path=orders"),
    ("options", "-csearch_path=orders"),
    ("options", "--search-path=orders"),
    ("options", "-c role=dbt -c search_path=orders"),
    ("options", "-c session_authorization=dbt"),
    ("options", "-c session_replication_role=replica"),
    ("options", "-c standard_conforming_strings=off"),
    ("client_encoding", "SJIS"),
    ("role", "dbt"),
    ("replication", "database"),
    ("_pq_.compression", "lz4"),
];

#[test]
fn no_word_before_the_login_changes_what_may_be_done() {
    let mut world = World::build(true);
    let before = world.sum();
    let mut count = Count::default();
    for (name, value) in OPENINGS {
        let Some(mut client) = world.opened(name, value) else {
            count.add(Fate::Refused);
            continue;
        };
        for sql in [
            "DELETE FROM daily",
            "SELECT '\\'; DELETE FROM orders.daily; --'",
            "IDENTIFY_SYSTEM",
            "CREATE_REPLICATION_SLOT x PHYSICAL",
        ] {
            let frames = talk::Saying::default().query(sql).tell(&mut client);
            count.add(frames.map_or(Fate::Refused, |frames| talk::fate(&frames)));
        }
        assert_eq!(place::changed(&before, &world.sum()), [""; 0], "{name}={value}");
    }
    count.tell(&[]);
}

/// What the witness must see: a change past the gate, and the part of the world that it is told by.
const SEEN: [(&str, &str); 30] = [
    ("UPDATE orders.daily SET total = total + 1 WHERE day = 1", "rows of orders.daily"),
    ("ALTER TABLE orders.daily ALTER COLUMN total SET DEFAULT 3", "defaults"),
    ("ALTER TABLE orders.daily ALTER COLUMN total SET STATISTICS 7", "columns"),
    ("ALTER TABLE orders.lines SET (fillfactor = 80)", "relations"),
    ("ALTER TABLE orders.daily DROP CONSTRAINT daily_total_check", "constraints"),
    ("CREATE INDEX ON orders.lines (n)", "indexes"),
    ("CREATE OR REPLACE VIEW orders.recent AS SELECT * FROM orders.daily", "rules"),
    ("ALTER TABLE orders.daily DISABLE TRIGGER touched", "triggers"),
    ("ALTER POLICY all_of_it ON orders.customers USING (false)", "policies"),
    ("ALTER TABLE orders.child NO INHERIT orders.daily", "heirs"),
    ("ALTER STATISTICS orders.daily_stats SET STATISTICS 9", "statistics"),
    ("COMMENT ON TABLE orders.daily IS 'else'", "comments"),
    ("GRANT SELECT ON orders.lines TO dbt", "relations"),
    ("ALTER TABLE orders.lines OWNER TO dbt", "relations"),
    ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO dbt", "default rights"),
    ("SELECT nextval('orders.numbers')", "sequences"),
    ("ALTER TYPE orders.status ADD VALUE 'lost'", "labels"),
    ("ALTER DOMAIN orders.amount SET NOT NULL", "types"),
    ("ALTER FUNCTION orders.log(text) STRICT", "functions"),
    ("CREATE CAST (orders.pair AS text) WITH INOUT", "casts"),
    ("GRANT dbt TO postgres", "roles"),
    ("ALTER ROLE dbt SET work_mem TO '1MB'", "roles"),
    ("ALTER DATABASE dev CONNECTION LIMIT 90", "databases"),
    ("CREATE EXTENSION IF NOT EXISTS plpgsql; ALTER LANGUAGE plpgsql OWNER TO dbt", "code"),
    ("ALTER PUBLICATION changes SET (publish = 'insert')", "publications"),
    ("ALTER SERVER elsewhere OPTIONS (ADD a 'b')", "foreign"),
    ("SELECT lo_put(4242, 0, 'else')", "large objects"),
    ("ALTER SYSTEM SET work_mem TO '2MB'", "files"),
    ("CREATE SCHEMA made", "schemas"),
    ("SELECT pg_advisory_lock(1), pg_create_physical_replication_slot('s')", "replication"),
];

#[test]
fn the_witness_sees_each_kind_of_change() {
    let mut world = World::build(false);
    for (sql, part) in SEEN {
        let before = world.sum();
        assert_eq!(place::changed(&before, &world.sum()), [""; 0], "before {sql}");
        world.steward(sql);
        let seen = place::changed(&before, &world.sum());
        assert!(seen.iter().any(|seen| seen == part), "{sql}: {seen:?}");
    }
}
