//! Passwords of the demo and files that only their owner reads.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::Secret;

/// A password of 128 random bits in hexadecimal.
pub(super) fn password() -> io::Result<Secret> {
    let mut bits = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bits).map_err(|_| io::Error::other("no random bits"))?;
    Ok(Secret::new(bits.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// Writes a file with mode 0600 from its first moment on.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
