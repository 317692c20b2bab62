//! Through a gate with permissive rules a client cannot tell it from a direct connection: each scene is
//! played to both and what is seen compared.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "fidelity/bulk.rs"]
mod bulk;
#[path = "fidelity/cancels.rs"]
mod cancels;
#[path = "fidelity/copies.rs"]
mod copies;
#[path = "fidelity/ends.rs"]
mod ends;
#[path = "fidelity/stage.rs"]
mod stage;
mod support;
#[path = "fidelity/unasked.rs"]
mod unasked;
#[path = "fidelity/versions.rs"]
mod versions;
