//! What both sides of SCRAM are made of.

use std::borrow::Cow;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};

pub(crate) const KEY_BYTES: usize = 32;

pub(crate) fn salted_password(password: &str, salt: &[u8], iterations: NonZeroU32) -> [u8; KEY_BYTES] {
    // What SASLprep forbids is taken as it is, as PostgreSQL does.
    let prepared = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
    let mut salted = [0; KEY_BYTES];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, prepared.as_bytes(), &mut salted);
    salted
}

pub(crate) fn mac(key: &[u8], data: &[u8]) -> [u8; KEY_BYTES] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    fixed(tag.as_ref())
}

pub(crate) fn sha256(data: &[u8]) -> [u8; KEY_BYTES] {
    fixed(digest::digest(&digest::SHA256, data).as_ref())
}

fn fixed(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut out = [0; KEY_BYTES];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}
