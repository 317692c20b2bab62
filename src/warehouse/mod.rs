//! The upstream's front door: connecting, logging in, cancelling, and what is asked of it on
//! connections of Tollgate's own.

pub mod catalog;
pub mod connect;
pub mod login;
pub mod query;
pub mod scram;
pub mod warm;
