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

/// One principal's running statements, for those who ask again and again.
#[derive(Debug)]
pub struct Line(Arc<AtomicU64>);

impl Line {
    /// A slot for one more statement, or `None` where `max` run already.
    pub fn admit(&self, max: NonZeroU64) -> Option<Slot> {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
                (running < max.get()).then_some(running + 1)
            })
            .ok()?;
        Some(Slot(Arc::clone(&self.0)))
    }
}

impl Admission {
    pub fn line(&self, principal: &str) -> Line {
        Line(match self.running.get(principal) {
            Some(count) => Arc::clone(&count),
            None => Arc::clone(&self.running.entry(principal.to_owned()).or_default()),
        })
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
        let (ana, again, bob) = (admission.line("ana"), admission.line("ana"), admission.line("bob"));
        let first = ana.admit(max);
        let second = again.admit(max);
        assert!(first.is_some() && second.is_some());
        assert!(ana.admit(max).is_none());
        assert!(bob.admit(max).is_some());
        drop(first);
        assert!(again.admit(max).is_some());
    }

    #[test]
    fn sweeping_keeps_what_runs() {
        let admission = Admission::default();
        let max = NonZeroU64::new(1).unwrap();
        let slot = admission.line("ana").admit(max);
        admission.sweep();
        assert!(admission.line("ana").admit(max).is_none());
        drop(slot);
        admission.sweep();
        assert!(admission.running.is_empty());
    }
}
