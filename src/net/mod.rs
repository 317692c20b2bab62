//! The shell: sockets, timers, tasks. Everything it decides, it asks of the pure core.

mod cancel;
mod channel;
mod claims;
mod driver;
mod flow;
mod frames;
mod gate;
mod greet;
mod inspect;
mod listen;
mod login;
mod relay;
mod reload;
mod shared;
mod snapshot;
mod start;
mod upstream;
mod workers;

pub use listen::{ServeError, Server};
pub use reload::load;
pub use shared::{Live, Phase, Shared};
