//! The catalog's snapshot kept young: at the start, on a timer, and soon after definitions change.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::shared::{Phase, Shared, unix_now};
use crate::catalog::{Catalog, Snapshot};
use crate::config::{CatalogConfig, CatalogSource};
use crate::sql::{Class, Facts};
use crate::warehouse::catalog::{LoadFault, file, load};

/// Definitions often change several at a time: one snapshot stands for those of this while.
const QUIET: Duration = Duration::from_millis(100);
/// The wait after a first failure; it doubles with each that follows.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// Refreshes for as long as the process serves; `None` where the configuration wants no catalog.
pub(super) fn keep(shared: &Arc<Shared>, phase: watch::Receiver<Phase>) -> Option<JoinHandle<()>> {
    let config = shared.config.catalog.clone()?;
    let shared = Arc::clone(shared);
    Some(tokio::spawn(refreshing(shared, config, phase)))
}

/// Whether a statement that succeeds may leave other permanent definitions than the snapshot knows.
pub(super) fn redefines(facts: &Facts) -> bool {
    let permanent = facts.creates.iter().chain(&facts.alters).any(|relation| !relation.is_temp());
    // A procedure's body is not seen.
    permanent || facts.class == Class::Call
}

/// Ends with the first phase but serving. Cancel safe: a snapshot half read is dropped.
async fn refreshing(shared: Arc<Shared>, config: CatalogConfig, mut phase: watch::Receiver<Phase>) {
    let mut failures: u32 = 0;
    loop {
        let began = Instant::now();
        failures = match refresh(&shared, &config).await {
            Ok(()) => 0,
            Err(fault) => {
                tracing::error!(%fault, failures, "no catalog snapshot; an older one stays in use");
                failures.saturating_add(1)
            }
        };
        crate::telemetry::catalog_refreshed(failures == 0);
        let took = began.elapsed();
        let next = async {
            if failures > 0 {
                // Notices wait too: a warehouse in trouble is not asked more often for them.
                return tokio::time::sleep(back_off(failures)).await;
            }
            if tokio::time::timeout(config.refresh, shared.definitions.notified()).await.is_ok() {
                // A large catalog is read half of the time at most.
                tokio::time::sleep(QUIET.max(took)).await;
            }
        };
        tokio::select! {
            () = next => {}
            _ = phase.changed() => return,
        }
    }
}

fn back_off(failures: u32) -> Duration {
    BACK_OFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(BACK_OFF_MAX)
}

async fn refresh(shared: &Arc<Shared>, config: &CatalogConfig) -> Result<(), LoadFault> {
    // What changes from here on asks for another snapshot; what changed before is in this one.
    let _ = tokio::time::timeout(Duration::ZERO, shared.definitions.notified()).await;
    let began = unix_now();
    let snapshot = snapshot(shared, config).await?;
    let (relations, taken) = (snapshot.relations.len(), snapshot.taken.clone());
    let indexed = tokio::task::spawn_blocking(move || Catalog::new(snapshot));
    let catalog = indexed.await.map_err(|_| LoadFault::Interrupted)?;
    let holds = began.saturating_add(3 * i64::try_from(config.refresh.as_secs()).unwrap_or(i64::MAX / 3));
    shared.sized_until.store(holds, Ordering::Relaxed);
    let first = shared.catalog.swap(Some(Arc::new(catalog))).is_none();
    if first {
        tracing::info!(relations, "the catalog is live");
    }
    crate::telemetry::catalog_live(relations, &taken);
    Ok(())
}

async fn snapshot(shared: &Arc<Shared>, config: &CatalogConfig) -> Result<Snapshot, LoadFault> {
    let Shared { warehouse, config: all, .. } = &**shared;
    match &config.source {
        CatalogSource::Warehouse(login) => {
            load(warehouse, login, &all.upstream.database, all.bounds.catalog_relations_max).await
        }
        CatalogSource::File(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || file::read(&path));
            Ok(read.await.map_err(|_| LoadFault::Interrupted)??)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Relation;

    #[test]
    fn failures_are_followed_by_longer_waits_up_to_a_bound() {
        let waits: Vec<u64> = [1, 2, 3, 7, 40, u32::MAX].map(|n| back_off(n).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 60, 60, 60]);
    }

    #[test]
    fn only_permanent_definitions_ask_for_a_snapshot() {
        let mut made = Facts::plain(Class::Ddl, "CREATE TABLE");
        made.creates.insert(Relation::temp("t"));
        assert!(!redefines(&made));
        made.creates.insert(Relation::new("sandbox_orders", "t"));
        assert!(redefines(&made));
        let mut written = Facts::plain(Class::Write, "INSERT");
        written.writes.insert(Relation::new("sandbox_orders", "t"));
        assert!(!redefines(&written));
        assert!(redefines(&Facts::plain(Class::Call, "CALL")));
    }
}
