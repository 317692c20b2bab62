//! The Postgres wire protocol as bytes: framing, startup packets, frontend messages, replies.
//!
//! Pure: bytes in, values out. Lengths are checked against a bound before any body is awaited, and a
//! body must be consumed exactly (PostgreSQL documentation, chapter 55).

pub mod frame;
pub mod message;
pub mod reply;
pub mod startup;

pub use frame::{FrameFault, Header, header};
pub use message::{Frontend, MessageFault, Target};
pub use startup::{Minor, StartupFault, StartupPacket};
