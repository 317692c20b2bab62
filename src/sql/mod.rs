//! From SQL text to [`Facts`], without running it and without IO.
//!
//! The AST never leaves this module.

mod adapt;
mod check;
mod commands;
mod effects;
mod escape;
pub mod facts;
mod fault;
mod fingerprint;
pub mod functions;
mod letters;
mod lex;
mod memory;
mod names;
mod parse;
mod plans;
mod scans;
pub mod scope;
mod shape;
mod split;
mod temporary;
mod understand;
mod walk;

#[cfg(test)]
mod tests;

pub use facts::{
    Class, CursorStep, Egress, Facts, PreparedStep, Relation, SessionChange, Statement, TransactionStep,
};
pub use fault::NotUnderstood;
pub use fingerprint::fingerprint;
pub use functions::{FunctionRisk, risk};
pub use memory::Memory;
pub use scans::Scans;
pub use scope::{Scope, ScopeBounds, ScopeFull, Status};
pub use split::TextBounds;
pub use understand::understand;
