//! Counting rows and bytes of a result against its caps.

use std::num::NonZeroU64;

use crate::policy::{Obligations, OnRows};

/// Counts one statement's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    rows_max: Option<NonZeroU64>,
    on_rows: OnRows,
    bytes_max: Option<NonZeroU64>,
    /// Rows of the same cursor or portal that earlier pieces took.
    carried: u64,
    pub rows: u64,
    pub bytes: u64,
    pub truncated: bool,
}

/// Whether a row goes to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Pass,
    /// Beyond a cap that truncates.
    Beyond,
    RowLimit,
    ByteLimit,
}

impl Meter {
    /// `carried` rows of the same cursor or portal count against the cap.
    pub fn new(obligations: &Obligations, carried: u64) -> Self {
        Self {
            rows_max: obligations.rows,
            on_rows: obligations.on_rows,
            bytes_max: obligations.bytes,
            carried,
            rows: 0,
            bytes: 0,
            truncated: false,
        }
    }

    /// Whether one more row of `bytes` is within every cap.
    pub fn has_room(&self, bytes: u64) -> bool {
        !self.truncated
            && self.rows_max.is_none_or(|max| self.total_rows() < max.get())
            && self.bytes_max.is_none_or(|max| self.bytes.saturating_add(bytes) <= max.get())
    }

    /// One row of `bytes` arrived.
    pub fn count(&mut self, bytes: u64) -> Counted {
        if self.truncated {
            return Counted::Beyond;
        }
        if self.rows_max.is_some_and(|max| self.total_rows() >= max.get()) {
            return match self.on_rows {
                OnRows::Truncate => {
                    self.truncated = true;
                    Counted::Beyond
                }
                OnRows::Error => Counted::RowLimit,
            };
        }
        if self.bytes_max.is_some_and(|max| self.bytes.saturating_add(bytes) > max.get()) {
            return Counted::ByteLimit;
        }
        self.rows = self.rows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        Counted::Pass
    }

    /// Rows of the cursor or portal so far.
    pub fn total_rows(&self) -> u64 {
        self.carried.saturating_add(self.rows)
    }

    pub fn rows_max(&self) -> Option<u64> {
        self.rows_max.map(NonZeroU64::get)
    }

    pub fn bytes_max(&self) -> Option<u64> {
        self.bytes_max.map(NonZeroU64::get)
    }

    /// A statement with effects is not failed for the size of its answer: it ends early instead.
    pub fn soften(&mut self) {
        self.truncated = true;
    }
}

/// A CommandComplete tag with its row count, if it has one, set to the rows the client got.
pub fn retag(tag: &str, rows: u64) -> String {
    match tag.rsplit_once(' ') {
        Some((command, count)) if count.bytes().all(|b| b.is_ascii_digit()) => format!("{command} {rows}"),
        _ => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(rows: u64, on_rows: OnRows, bytes: u64, carried: u64) -> Meter {
        let obligations = Obligations {
            rows: NonZeroU64::new(rows),
            on_rows,
            bytes: NonZeroU64::new(bytes),
            ..Obligations::default()
        };
        Meter::new(&obligations, carried)
    }

    #[test]
    fn exactly_the_cap_passes_and_one_more_does_not() {
        let mut meter = meter(2, OnRows::Truncate, 0, 0);
        assert_eq!(
            [meter.count(1), meter.count(1), meter.count(1)],
            [Counted::Pass, Counted::Pass, Counted::Beyond]
        );
        assert!(meter.truncated);
        assert_eq!(meter.rows, 2);
    }

    #[test]
    fn a_result_of_exactly_the_cap_is_not_truncated() {
        let mut meter = meter(2, OnRows::Truncate, 0, 0);
        let _ = (meter.count(1), meter.count(1));
        assert!(!meter.truncated);
    }

    #[test]
    fn rows_of_earlier_pieces_count() {
        let mut meter = meter(5, OnRows::Error, 0, 4);
        assert_eq!([meter.count(1), meter.count(1)], [Counted::Pass, Counted::RowLimit]);
    }

    #[test]
    fn bytes_are_counted_too() {
        let mut meter = meter(0, OnRows::Truncate, 10, 0);
        assert_eq!([meter.count(10), meter.count(1)], [Counted::Pass, Counted::ByteLimit]);
    }

    #[test]
    fn a_tag_tells_the_rows_the_client_got() {
        assert_eq!(retag("SELECT 5000", 10), "SELECT 10");
        assert_eq!(retag("FETCH 7", 0), "FETCH 0");
        assert_eq!(retag("SELECT", 10), "SELECT");
        assert_eq!(retag("INSERT 0 9", 3), "INSERT 0 3");
    }
}
