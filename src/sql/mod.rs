//! From SQL text to [`Facts`], without running it and without IO.
//!
//! The AST never leaves this module.

pub mod facts;
pub mod scope;

pub use facts::{
    Class, CursorStep, Egress, Facts, NotUnderstood, PreparedStep, Relation, SessionChange, Statement,
    TransactionStep,
};
pub use scope::{Scope, ScopeBounds};
