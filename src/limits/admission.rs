//! Slots: how many statements of one principal run at once.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;

/// The slots in use, by principal; as many entries as there are principals with open sessions.
#[derive(Debug, Default)]
pub struct Admission {
    running: DashMap<String, Arc<AtomicU64>>,
}

/// One place among a principal's running statements, given back when dropped.
#[derive(Debug)]
pub struct Slot(Arc<AtomicU64>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    /// A slot for one more statement of `principal`, or `None` where `max` run already.
    pub fn admit(&self, principal: &str, max: NonZeroU64) -> Option<Slot> {
        let count = match self.running.get(principal) {
            Some(count) => Arc::clone(&count),
            None => Arc::clone(&self.running.entry(principal.to_owned()).or_default()),
        };
        count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
                (running < max.get()).then_some(running + 1)
            })
            .ok()?;
        Some(Slot(count))
    }

    /// Forgets principals of whom nothing runs.
    pub fn sweep(&self) {
        self.running.retain(|_, count| Arc::strong_count(count) > 1 || count.load(Ordering::Acquire) > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds_for_each_principal_alone_and_a_dropped_slot_is_free_again() {
        let admission = Admission::default();
        let max = NonZeroU64::new(2).unwrap();
        let first = admission.admit("ana", max);
        let second = admission.admit("ana", max);
        assert!(first.is_some() && second.is_some());
        assert!(admission.admit("ana", max).is_none());
        assert!(admission.admit("bob", max).is_some());
        drop(first);
        assert!(admission.admit("ana", max).is_some());
    }

    #[test]
    fn sweeping_keeps_what_runs() {
        let admission = Admission::default();
        let max = NonZeroU64::new(1).unwrap();
        let slot = admission.admit("ana", max);
        admission.sweep();
        assert!(admission.admit("ana", max).is_none());
        drop(slot);
        admission.sweep();
        assert!(admission.running.is_empty());
    }
}
