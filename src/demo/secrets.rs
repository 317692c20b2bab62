//! Passwords of the demo.

use std::io;

use crate::config::Secret;

/// A password of 128 random bits in hexadecimal.
pub(super) fn password() -> io::Result<Secret> {
    let mut bits = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bits).map_err(|_| io::Error::other("no random bits"))?;
    Ok(Secret::new(bits.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
