//! The chain: each line holds the hash of the one before it.
//!
//! A line ends in `,"prev":"P","hash":"H"}` and a newline. `H` is the lower-case hexadecimal SHA-256 of
//! the line's bytes from its `{` up to, not including, `,"hash":"`. `P` is the `H` of the line before;
//! the first line of a chain has 64 zeros.

use aws_lc_rs::digest;
use serde::Deserialize;

/// What stands between the hashed bytes and the hash.
pub const HASH_FIELD: &str = ",\"hash\":\"";
const DIGITS: usize = 64;

/// A SHA-256 in 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash([u8; DIGITS]);

impl Hash {
    /// What the first line of a chain has as `prev`.
    pub fn first() -> Self {
        Self([b'0'; DIGITS])
    }

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let mut digits = [b'0'; DIGITS];
        for ([high, low], byte) in digits.as_chunks_mut().0.iter_mut().zip(digest.as_ref()) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
        Self(digits)
    }

    pub(super) const fn digits(&self) -> &[u8; DIGITS] {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        // Digits all.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Without a branch, so that many are made at once.
const fn digit(nibble: u8) -> u8 {
    b'0' + nibble + (b'a' - b'9' - 1) * (nibble > 9) as u8
}

/// What does not fit in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("the line is not a record")]
    NotJson,
    #[error("the hash does not fit the line")]
    Hash,
    #[error("`prev` is not the hash of the line before")]
    Prev,
    #[error("`seq` is {found} where {expected} was due")]
    Seq { expected: u64, found: u64 },
}

/// The place of a line in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub seq: u64,
    pub hash: Hash,
    pub time: String,
}

#[derive(Deserialize)]
struct Head {
    seq: u64,
    time: String,
    prev: String,
    hash: String,
}

/// A line by itself, without its newline: its link and its `prev`.
///
/// # Errors
/// [`Break::NotJson`] or [`Break::Hash`].
pub fn read_link(line: &[u8]) -> Result<(Link, String), Break> {
    let head: Head = serde_json::from_slice(line).map_err(|_| Break::NotJson)?;
    let tail = format!("{HASH_FIELD}{}\"}}", head.hash);
    let body = line.strip_suffix(tail.as_bytes()).ok_or(Break::Hash)?;
    let hash = Hash::of(body);
    if hash.as_str() != head.hash {
        return Err(Break::Hash);
    }
    Ok((Link { seq: head.seq, hash, time: head.time }, head.prev))
}

/// Checks a chain line by line, from its first line or from any file's beginning.
#[derive(Debug, Default)]
pub struct Verifier {
    last: Option<Link>,
    /// The chain begins with seq 1 and 64 zeros, not with what stands first.
    whole: bool,
}

impl Verifier {
    /// For a whole chain.
    pub fn whole() -> Self {
        Self { last: None, whole: true }
    }

    /// For a part of a chain: the first line is taken as it is.
    pub fn part() -> Self {
        Self::default()
    }

    /// One line, without its newline.
    ///
    /// # Errors
    /// What does not fit; the verifier stays at the line before.
    pub fn feed(&mut self, line: &[u8]) -> Result<(), Break> {
        let (link, prev) = read_link(line)?;
        let due = match &self.last {
            Some(last) => Some((last.seq.saturating_add(1), last.hash.clone())),
            None => self.whole.then(|| (1, Hash::first())),
        };
        if let Some((expected, hash)) = due {
            if link.seq != expected {
                return Err(Break::Seq { expected, found: link.seq });
            }
            if prev != hash.as_str() {
                return Err(Break::Prev);
            }
        }
        self.last = Some(link);
        Ok(())
    }
}
