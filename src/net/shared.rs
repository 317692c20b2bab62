//! What all sessions share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;

use super::cancel::Sessions;
use super::claims::Claims;
use crate::audit::{AuditError, Event, Log, Recorded};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::identity::Directory;
use crate::limits::Admission;
use crate::policy::RuleSet;
use crate::sql::Memory;
use crate::warehouse::connect::Warehouse;

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// No new sessions; what runs may finish.
    Draining,
    /// What still runs is left to the warehouse.
    Stopping,
}

/// One generation of rules with the accounts and keys they name; swapped whole.
#[derive(Debug)]
pub struct Live {
    pub generation: u64,
    pub rules: RuleSet,
    pub directory: Directory,
}

#[derive(Debug)]
pub struct Shared {
    pub config: Config,
    pub live: ArcSwap<Live>,
    pub audit: Log,
    pub warehouse: Warehouse,
    pub admission: Admission,
    pub sessions: Sessions,
    pub claims: Arc<Claims>,
    /// What was understood before.
    pub memory: Arc<Memory>,
    /// The newest snapshot; `None` until there is one.
    pub catalog: ArcSwapOption<Catalog>,
    /// Until when its sizes may be gone by, in seconds since 1970.
    pub sized_until: AtomicI64,
    /// Told when definitions may have changed through the gate; one waiting notice stands for all.
    pub definitions: Notify,
}

impl Shared {
    /// Appends to the audit; a failure counts.
    pub async fn record(&self, event: &Event<'_>) -> Result<Recorded, AuditError> {
        let recorded = self.audit.append(event).await;
        if recorded.is_err() {
            crate::telemetry::audit_failed();
        }
        recorded
    }

    /// Appends what a crash may take. A failure counts, and is borne: the statement's own entry stands.
    pub fn record_soon(&self, event: &Event<'_>) {
        if let Err(error) = self.audit.append_soon(event) {
            crate::telemetry::audit_failed();
            tracing::error!(%error, "an outcome could not be recorded");
        }
    }

    /// Whether the snapshot is young enough to go by its sizes.
    pub fn sizes_hold(&self, now_unix: i64) -> bool {
        self.sized_until.load(Ordering::Relaxed) >= now_unix
    }

    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

/// Seconds since 1970.
pub(super) fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
