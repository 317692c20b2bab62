//! Who connects: service accounts by SCRAM or password, persons by signed tokens.

mod accounts;
pub mod claim;
pub(crate) mod primitives;
mod scram;
mod token;

pub use accounts::{Directory, LoginError, Method};
pub use scram::{ITERATIONS, ScramError, ScramServer, Verifier};
pub use token::{TokenFault, TokenKeys};
