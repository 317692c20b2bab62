//! The world as oracle: hostile statements through the gate, and nothing outside the sandbox changes.
//!
//! The gate's own login upstream may do everything: what protects is the gate alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::string_slice, reason = "a test fails by panicking")]

#[path = "world/place.rs"]
mod place;
#[path = "world/scenes.rs"]
mod scenes;
mod support;
#[path = "world/talk.rs"]
mod talk;

use place::World;
use scenes::Scene;
use talk::Fate;

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
}

/// One scene alone, as in `WORLD_ONLY='temporary' cargo test --test world`.
fn is_wanted(name: &str) -> bool {
    std::env::var("WORLD_ONLY").map_or(true, |only| name.contains(&only))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/world/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn scenes_of_an_attacker_change_nothing_outside_the_sandbox() {
    let mut world = World::build();
    let mut count = Count::default();
    let mut changes = Vec::new();
    for scene in Scene::all(&read("scenes.txt")).iter().filter(|scene| is_wanted(&scene.name)) {
        let found = scene.play(&mut world, &mut |fate| count.add(fate));
        if scene.is_staged() || !found.is_empty() {
            world.restore();
        }
        if !found.is_empty() {
            changes.push(format!("{}: {}", scene.name, found.join(", ")));
        }
        world.tidy();
    }
    assert!(!world.was_called(), "the server opened a connection");
    println!(
        "{} statements, {} refused, {} ran, {} changes",
        count.refused + count.ran,
        count.refused,
        count.ran,
        changes.len()
    );
    assert!(changes.is_empty(), "{}", changes.join("\n"));
}
