//! The record: an entry for every statement, written before it runs, in a hash chain.

pub mod record;

pub use record::{Event, OutcomeRecord, StatementRecord};
