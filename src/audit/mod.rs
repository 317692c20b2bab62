//! The record: an entry for every statement, written before it runs, in a hash chain.

pub mod chain;
pub mod encode;
mod group;
mod json;
pub mod log;
pub mod read;
pub mod record;
pub mod redact;
mod tail;
mod writer;

pub use chain::{Break, Hash, Verifier};
pub use encode::{Envelope, encode, link};
pub use log::{AuditError, Log, LogOptions, Opened, Recorded};
pub use record::{Event, OutcomeRecord, StatementRecord};
