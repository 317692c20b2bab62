//! What a running demo leaves for `demo --check` and for tests to find it: one private file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

/// A running demo. Holds secrets of the demo in clear, so its file has mode 0600 and `Debug` hides them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of the process that runs the demo.
    pub pid: u32,
    /// The gate's.
    pub port: u16,
    pub admin_port: u16,
    /// The demo's folder.
    pub dir: PathBuf,
    pub config: PathBuf,
    /// The authority that signed the gate's certificate.
    pub ca: PathBuf,
    pub audit_dir: PathBuf,
    pub database: String,
    /// Service accounts with their passwords.
    pub accounts: BTreeMap<String, String>,
    pub person: Person,
    pub issuer: Issuer,
    pub warehouse: Warehouse,
}

/// A person with a token that serves as the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub name: String,
    pub token: String,
}

/// Who signs tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    pub issuer: String,
    pub audience: String,
    /// Private key, PKCS #8 PEM.
    pub key: PathBuf,
    pub key_id: String,
    /// Of the signatures, as JWT names it.
    pub algorithm: String,
}

/// The private PostgreSQL behind the gate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warehouse {
    pub port: u16,
    pub superuser: String,
    pub password: String,
    /// The folder of the server's programs.
    pub pg_bin: PathBuf,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("port", &self.port).field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl State {
    /// The state file of the demo on `port`.
    pub fn path(port: u16) -> PathBuf {
        std::env::temp_dir().join(format!("tollgate-demo-{port}.json"))
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_str(&fs::read_to_string(path)?).map_err(io::Error::other)
    }

    /// Appears whole: a reader never sees half a file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        let staged = path.with_extension(format!("json.{}", self.pid));
        super::secrets::write_private(&staged, &text)?;
        fs::rename(&staged, path)
    }
}

macro_rules! hide_in_debug {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}
hide_in_debug!(Person, Issuer, Warehouse);
