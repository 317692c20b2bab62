//! `tollgate.yaml`: raw file to checked, immutable [`Config`]; every problem is told at once.

mod catalog;
mod load;
pub mod rules;
mod upstream;
mod warm;

use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use crate::policy::Subject;
use crate::sql::TextBounds;

pub use catalog::{CatalogConfig, CatalogSource};
pub use load::{Lookup, load, load_without_secrets, parse};
pub use warm::WarmConfig;

/// A value that no log, error or `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from; relative paths inside it are relative to its folder and already joined.
    pub path: PathBuf,
    /// The name of this process in audit records.
    pub node: String,
    pub listen: SocketAddr,
    /// Threads that sessions run on; one for each core where unset.
    pub workers: Option<NonZeroUsize>,
    pub tls: ListenTls,
    pub upstream: UpstreamConfig,
    pub rules: PathBuf,
    /// None: names alone are judged.
    pub catalog: Option<CatalogConfig>,
    pub audit: AuditConfig,
    /// `/healthz`, `/readyz`, `/metrics`; none where unset.
    pub admin: Option<SocketAddr>,
    pub bounds: Bounds,
    pub session: SessionConfig,
}

#[derive(Debug, Clone)]
pub enum ListenTls {
    /// Only for loopback and tests: tokens and cleartext passwords are then refused.
    Off,
    On {
        certificate: PathBuf,
        key: PathBuf,
        /// Plaintext sessions are refused; CancelRequests are not.
        required: bool,
    },
}

#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub tls: UpstreamTls,
    /// The first that matches the principal is used; the last speaks for everyone.
    pub logins: Vec<UpstreamLogin>,
    pub connect_timeout: Duration,
    pub warm: WarmConfig,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTls {
    Off,
    /// TLS without proof of the server's name or chain: only for tests.
    Require,
    /// Chain and name, against `ca` or the system's roots.
    VerifyFull {
        ca: Option<PathBuf>,
    },
}

#[derive(Debug, Clone)]
pub struct UpstreamLogin {
    pub subject: Subject,
    pub user: String,
    pub password: Secret,
}

/// What the client is shown of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentAs {
    /// As Redshift to AWS drivers, which need its version; as the upstream to all others.
    Auto,
    /// The upstream's own parameters.
    Upstream,
    /// `server_version` 8.0.2, as AWS drivers need.
    Redshift,
}

#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Pinned at the start of every session.
    pub search_path: Vec<String>,
    pub present_as: PresentAs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The record is with the operating system: it survives the process, not the machine.
    Os,
    /// The record is on the disk.
    Disk,
}

#[derive(Debug, Clone)]
pub struct AuditConfig {
    pub dir: PathBuf,
    pub durability: Durability,
    /// A file is closed and the next begun beyond this size.
    pub file_bytes_max: NonZeroU64,
}

/// What a client can make the proxy hold or wait for.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub connections_max: NonZeroUsize,
    /// Of one Query or Parse message.
    pub statement_bytes_max: NonZeroUsize,
    /// Of any other message that is held whole (Bind, ErrorResponse).
    pub message_bytes_max: NonZeroUsize,
    pub prepared_max: NonZeroUsize,
    pub portals_max: NonZeroUsize,
    pub temp_relations_max: NonZeroUsize,
    pub pipeline_max: NonZeroUsize,
    pub parse_depth_max: NonZeroUsize,
    pub parse_chain_max: NonZeroUsize,
    pub parse_queries_max: NonZeroUsize,
    /// Of one snapshot of the catalog.
    pub catalog_relations_max: NonZeroUsize,
    pub handshake: Duration,
    /// About what is kept of texts understood, for all sessions together.
    pub remembered_bytes_max: NonZeroUsize,
    /// How long running statements may go on after SIGTERM.
    pub drain: Duration,
}

impl Bounds {
    /// What holds for one text.
    pub fn text(&self) -> TextBounds {
        TextBounds {
            bytes_max: self.statement_bytes_max.get(),
            depth_max: self.parse_depth_max.get(),
            chain_max: self.parse_chain_max.get(),
            queries_max: self.parse_queries_max.get(),
        }
    }
}
