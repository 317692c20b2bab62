//! A crash at any point may lose an outcome, never the entry of a statement that ran.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use support::{House, until};
use tollgate::audit::read::verify;

const KILLS: usize = 20;
const CLIENTS: usize = 6;

/// Sends tagged statements until the gate dies under it; half of them in the extended protocol.
async fn load(address: std::net::SocketAddr, next: Arc<AtomicU64>, extended: bool) {
    let Ok(client) = support::connect(address, "analyst", support::PASSWORD, "dev").await else { return };
    loop {
        let tag = next.fetch_add(1, Ordering::Relaxed);
        let sql = format!("SELECT 'tag_{tag}_end', count(*) FROM orders.daily");
        let failed = if extended {
            client.query(&sql, &[]).await.is_err()
        } else {
            client.simple_query(&sql).await.is_err()
        };
        if failed {
            return;
        }
    }
}

fn tags(text: &str) -> impl Iterator<Item = u64> {
    text.match_indices("tag_").filter_map(move |(at, _)| text[at + 4..].split_once("_end")?.0.parse().ok())
}

/// Tags of the statements that the warehouse itself says it ran; estimates run nothing.
fn ran(log: &str) -> BTreeSet<u64> {
    log.lines()
        .filter(|line| line.contains("statement: SELECT 'tag_") || line.contains(": SELECT 'tag_"))
        .filter(|line| !line.contains("EXPLAIN"))
        .flat_map(tags)
        .collect()
}

/// Allowed statements on record whose outcome is not.
fn under_way(records: &[serde_json::Value]) -> usize {
    let ended: BTreeSet<&str> = records.iter().filter_map(|record| record["statement"].as_str()).collect();
    let begun =
        records.iter().filter(|record| record["event"] == "statement" && record["verdict"] == "allow");
    begun.filter(|record| !ended.contains(record["id"].as_str().unwrap())).count()
}

#[test]
fn every_statement_the_warehouse_saw_has_its_intent_on_record_whenever_the_gate_is_killed() {
    let house = House::build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let next = Arc::new(AtomicU64::new(0));
    let (mut round, mut struck, mut hit) = (0, 0, 0);
    // A kill counts where it came between an intent and its outcome.
    while struck < KILLS {
        assert!(round < 3 * KILLS as u64, "{struck} of {round} kills struck a statement under way");
        let gate = house.gate();
        let before = next.load(Ordering::Relaxed);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|at| runtime.spawn(load(gate.address, Arc::clone(&next), at % 2 == 0)))
            .collect();
        // Killed after ever more statements, so that it is hit in ever other states.
        let wanted = before + 20 + 7 * round;
        round += 1;
        until("statements under way", || next.load(Ordering::Relaxed) > wanted);
        gate.kill();
        for client in clients {
            runtime.block_on(client).unwrap();
        }
        struck += usize::from(under_way(&house.records()) > hit);
        hit = under_way(&house.records());
    }
    house.gate().signal("-TERM");
    let ran = ran(&std::fs::read_to_string(house.postgres.log()).unwrap());
    assert!(ran.len() > KILLS * 20, "{} statements reached the warehouse", ran.len());
    let records = house.records();
    let recorded: BTreeSet<u64> = records
        .iter()
        .filter(|record| record["event"] == "statement")
        .flat_map(|record| tags(record["sql"].as_str().unwrap()).collect::<Vec<_>>())
        .collect();
    let missing: Vec<_> = ran.difference(&recorded).collect();
    assert!(missing.is_empty(), "not on record: {missing:?}");
    let verified = verify(&house.audit()).unwrap();
    assert_eq!(verified.first_break, None);
    let outcomes = records.iter().filter(|record| record["event"] == "outcome").count();
    println!("{} ran, {} on record, {outcomes} outcomes, {round} kills", ran.len(), recorded.len());
}
