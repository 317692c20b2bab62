//! The upstream's front door: connecting, logging in, cancelling.

pub mod connect;
pub mod login;
