//! Tollgate: a SQL governance proxy between BI tools and Amazon Redshift.
//!
//! The path of one statement, each step with one home:
//!
//! 1. [`wire`] splits and checks frames.
//! 2. [`session`] is one client's state machine, without IO.
//! 3. [`sql`] turns a text into [`sql::Facts`].
//! 4. [`policy`] turns principal, facts and rules into a [`policy::Decision`].
//! 5. [`limits`] admits: concurrency slot, cost estimate.
//! 6. [`audit`] appends the intent and hands out the proof, [`audit::Recorded`].
//! 7. [`net`] forwards what holds both proofs, and relays the answer.
//!
//! Imports run downwards only; `tests/architecture.rs` holds them to it.

pub mod admin;
pub mod audit;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod demo;
pub mod document;
pub mod identity;
pub mod limits;
pub mod net;
pub mod policy;
pub mod refusal;
pub mod session;
pub mod sql;
pub mod telemetry;
pub mod transport;
pub mod warehouse;
pub mod wire;
