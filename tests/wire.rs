//! Invisible when allowed: the same frames, played directly and through the gate, are answered alike.
//!
//! What differs by design and is not compared: BackendKeyData, the server's own file, line and routine in
//! errors, and the OIDs of tables (each end makes temporary ones of its own). `TOLLGATE_WIRE_CASES` draws more scripts than the default.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "wire/random.rs"]
mod random;
#[path = "wire/scripts.rs"]
mod scripts;
mod support;
#[path = "wire/talk.rs"]
mod talk;
#[path = "wire/texts.rs"]
mod texts;

use std::cell::Cell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use support::{Gate, House};
use talk::{Frame, Script, Talk, Way, shape, shown};
use tokio::runtime::Runtime;

const CASES: u32 = 260;

/// A warehouse, a gate before it, and what is played to both.
struct Stage {
    house: House,
    gate: Gate,
    runtime: Runtime,
}

impl Stage {
    fn build() -> Self {
        let house = House::build();
        house.warehouse("dev", "CREATE TABLE sandbox_orders.kept (a int)");
        // Rules under which the steward may do whatever is played.
        let rules = house.dir.path().join("rules/domains/orders.yaml");
        let own = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, own.replace("official: [orders]", "official: [orders, public]")).unwrap();
        let gate = house.gate();
        Self { house, gate, runtime: Runtime::new().unwrap() }
    }

    fn direct(&self, script: &Script, way: Way) -> Vec<Frame> {
        let postgres = &self.house.postgres;
        let server = ([127, 0, 0, 1], postgres.port()).into();
        self.runtime.block_on(async {
            let mut talk = Talk::open(server, postgres.superuser(), postgres.password().expose()).await;
            talk.play(script, way).await
        })
    }

    fn through(&self, user: &str, script: &Script, way: Way) -> Vec<Frame> {
        self.runtime.block_on(async {
            let mut talk = Talk::open(self.gate.address, user, support::PASSWORD).await;
            talk.play(script, way).await
        })
    }

    /// Where the answers differ, both of them.
    fn difference(&self, script: &Script, way: Way) -> Option<String> {
        let (expected, seen) = (self.direct(script, way), self.through("steward", script, way));
        (seen != expected).then(|| {
            let (seen, expected) = (shown(&seen), shown(&expected));
            format!("{}{way:?}\nthrough the gate:\n{seen}\ndirectly:\n{expected}", script.text())
        })
    }
}

/// Draws `cases` values, always the same ones, and checks each; the least that fails is told.
fn draw<S: Strategy>(cases: u32, seed: u64, values: &S, check: impl Fn(S::Value) -> Option<String>) {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(values, |value| match check(value) {
        Some(difference) => {
            println!("{difference}\n");
            Err(TestCaseError::fail("the last one told above"))
        }
        None => Ok(()),
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn cases(default: u32) -> u32 {
    std::env::var("TOLLGATE_WIRE_CASES").map_or(default, |cases| cases.parse().unwrap())
}

#[test]
fn what_is_allowed_is_answered_as_by_the_server_itself() {
    let stage = Stage::build();
    let scripts = [scripts::scripts(), texts::scripts()].concat();
    let ways = [Way::Glued, Way::Apart, Way::Dribbled];
    let differences: Vec<String> = scripts
        .iter()
        .filter_map(|script| ways.iter().find_map(|way| stage.difference(script, *way)))
        .collect();
    assert!(differences.is_empty(), "{}\n{} scripts differ", differences.join("\n\n"), differences.len());
    println!("{} scripts in 3 ways", scripts.len());
}

#[test]
fn invalid_messages_fail_as_at_the_server_in_words_of_their_own() {
    let stage = Stage::build();
    let wordless = |frames: Vec<Frame>| -> Vec<(u8, Vec<u8>)> {
        let kept = |body: &[u8]| -> Vec<u8> {
            tollgate::session::fields(body)
                .filter(|(kind, _)| matches!(kind, b'V' | b'C'))
                .flat_map(|(_, value)| value.to_vec())
                .collect()
        };
        frames.into_iter().map(|(tag, body)| (tag, if tag == b'E' { kept(&body) } else { body })).collect()
    };
    for script in texts::invalid() {
        for way in [Way::Glued, Way::Apart, Way::Dribbled] {
            let seen = wordless(stage.through("steward", &script, way));
            let expected = wordless(stage.direct(&script, way));
            assert_eq!(shown(&seen), shown(&expected), "{}{way:?}", script.text());
        }
    }
}

#[test]
fn drawn_scripts_are_answered_as_by_the_server_itself() {
    let stage = Stage::build();
    let played = Cell::new(0_usize);
    draw(cases(CASES), 1, &random::script(), |script| {
        played.set(played.get() + 1);
        let way = match played.get() % 8 {
            0 => Way::Dribbled,
            1 | 2 => Way::Apart,
            3 | 4 => Way::InTurn,
            _ => Way::Glued,
        };
        stage.difference(&script, way)
    });
    println!("{} drawn scripts", played.get());
}

#[test]
fn a_refusal_leaves_the_protocol_as_a_failed_statement_does() {
    let stage = Stage::build();
    let (refused, failing) = ("DELETE FROM orders.daily", "DELETE FROM orders.no_such_table");
    draw(cases(CASES) / 2, 2, &random::failing(), |steps| {
        let refused = random::failing_with(&steps, refused);
        let failing = random::failing_with(&steps, failing);
        let seen = shape(&stage.through("analyst", &refused, Way::Glued));
        let expected = shape(&stage.direct(&failing, Way::Glued));
        (seen != expected).then(|| format!("{}through: {seen}\ndirectly: {expected}", refused.text()))
    });
    assert_eq!(stage.house.warehouse("dev", "SELECT count(*) FROM orders.daily"), ["500"]);
}
