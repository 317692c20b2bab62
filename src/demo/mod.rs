//! `tollgate demo`: the gate in front of a private PostgreSQL with sample data of six domains.

pub mod data;
pub mod postgres;
mod secrets;
