//! The server's functions as they are listed, and those that reach other sessions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use support::{House, refusal, rows};
use tollgate::sql::{FunctionRisk, risk};

/// Volatile to the planner, since what they tell changes; they change nothing.
const TELLS: &str = "clock_timestamp current_query currval gen_random_uuid lastval pg_blocking_pids \
    pg_collation_actual_version pg_current_wal_lsn pg_database_collation_actual_version pg_database_size \
    pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn \
    pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_lock_status pg_partition_ancestors \
    pg_partition_tree pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value \
    pg_stat_get_recovery_prefetch pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit \
    pg_stat_get_xact_function_calls pg_stat_get_xact_function_self_time \
    pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted \
    pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated \
    pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated \
    pg_table_size pg_tablespace_size pg_total_relation_size pg_xact_status random setseed timeofday \
    txid_status";

/// They give up what the session itself holds; drivers reset a session with them.
const GIVES_UP: &str = "pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared";

#[test]
fn no_volatile_function_of_the_server_passes_unlisted() {
    let house = House::build();
    let volatile = house.warehouse(
        "dev",
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
         AND provolatile = 'v'",
    );
    assert!(volatile.len() > 100);
    let tells: BTreeSet<&str> =
        TELLS.split_ascii_whitespace().chain(GIVES_UP.split_ascii_whitespace()).collect();
    let passing: Vec<&String> = volatile
        .iter()
        .filter(|name| risk(name) == FunctionRisk::Harmless && !tells.contains(name.as_str()))
        .collect();
    assert!(passing.is_empty(), "{passing:?}");
}

#[test]
fn one_ends_ones_own_sessions_and_nobody_elses() {
    let house = House::build();
    let gate = house.gate();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stuck = gate.connect("analyst").await.unwrap();
        let process = rows(&stuck.simple_query("SELECT pg_backend_pid()").await.unwrap()).remove(0);
        let end = format!("SELECT pg_terminate_backend({process})");
        let other = gate.connect("slow").await.unwrap();
        for text in [end.as_str(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"] {
            let refused = refusal(other.simple_query(text).await);
            assert_eq!(refused.0, "42501", "{refused:?}");
        }
        assert_eq!(refusal(other.query(&end, &[]).await).0, "42501");
        stuck.simple_query("SELECT 1").await.unwrap();
        let again = gate.connect("analyst").await.unwrap();
        assert_eq!(rows(&again.simple_query(&end).await.unwrap()), ["t"]);
        assert!(stuck.simple_query("SELECT 1").await.is_err());
    });
}
