//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding and without IO.
//!
//! What takes time is to derive the keys from the password. They are kept, so that only the first login
//! after the server chose another salt pays for it.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::Secret;
use crate::identity::primitives::{KEY_BYTES, mac, salted_password, sha256};

/// Passwords whose keys are kept: one for each login of the configuration, if there are not very many.
const KEPT_MAX: usize = 64;
/// A server may not have more time taken than a tenth of a second or so.
const ITERATIONS_MAX: u32 = 1_000_000;

/// Why an exchange is no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeFault {
    #[error("a malformed SCRAM message")]
    Malformed,
    #[error("a SCRAM nonce that does not begin with the client's")]
    Nonce,
    #[error("more SCRAM iterations than the bound of {ITERATIONS_MAX}")]
    Iterations,
    #[error("a SCRAM signature that proves no knowledge of the password")]
    Signature,
}

#[derive(Clone, Copy)]
struct Keys {
    client: [u8; KEY_BYTES],
    server: [u8; KEY_BYTES],
}

impl Keys {
    fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self { client: mac(&salted, b"Client Key"), server: mac(&salted, b"Server Key") }
    }
}

struct Kept {
    password: Secret,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    keys: Keys,
}

/// Keys derived before, the most recently used first.
#[derive(Default)]
pub struct KeyRing(Mutex<VecDeque<Kept>>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

impl KeyRing {
    fn keys(&self, password: &Secret, salt: &[u8], iterations: NonZeroU32) -> Keys {
        if let Some(keys) = self.recall(password, salt, iterations) {
            return keys;
        }
        let keys = Keys::derive(password.expose(), salt, iterations);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT_MAX - 1);
        kept.push_front(Kept { password: password.clone(), salt: salt.to_vec(), iterations, keys });
        keys
    }

    fn recall(&self, password: &Secret, salt: &[u8], iterations: NonZeroU32) -> Option<Keys> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|kept| {
            kept.salt == salt && kept.iterations == iterations && kept.password == *password
        })?;
        let found = kept.remove(at)?;
        let keys = found.keys;
        kept.push_front(found);
        Some(keys)
    }
}

/// An exchange after the client's first message.
#[derive(Debug)]
pub struct Exchange {
    nonce: String,
}

/// An exchange after the client's last message.
pub struct Proved {
    signature: [u8; KEY_BYTES],
}

impl fmt::Debug for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proved(…)")
    }
}

impl Exchange {
    /// `nonce` is fresh randomness, printable. Gives client-first.
    pub fn start(nonce: String) -> (Self, Vec<u8>) {
        let first = format!("n,,n=,r={nonce}").into_bytes();
        (Self { nonce }, first)
    }

    /// Reads server-first, gives client-final.
    pub fn prove(
        self,
        server_first: &[u8],
        password: &Secret,
        ring: &KeyRing,
    ) -> Result<(Proved, Vec<u8>), ExchangeFault> {
        let text = std::str::from_utf8(server_first).map_err(|_| ExchangeFault::Malformed)?;
        let mut attributes = text.split(',');
        let mut attribute = |name: &str| {
            attributes.next().and_then(|found| found.strip_prefix(name)).ok_or(ExchangeFault::Malformed)
        };
        let (nonce, salt, iterations) = (attribute("r=")?, attribute("s=")?, attribute("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ExchangeFault::Nonce);
        }
        let salt = STANDARD.decode(salt).map_err(|_| ExchangeFault::Malformed)?;
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| ExchangeFault::Malformed)?;
        if iterations.get() > ITERATIONS_MAX {
            return Err(ExchangeFault::Iterations);
        }
        let keys = ring.keys(password, &salt, iterations);
        // `biws` is the header of client-first, `n,,`.
        let unproved = format!("c=biws,r={nonce}");
        let transcript = format!("n=,r={},{text},{unproved}", self.nonce);
        let mut proof = mac(&sha256(&keys.client), transcript.as_bytes());
        for (proof, key) in proof.iter_mut().zip(keys.client) {
            *proof ^= key;
        }
        let signature = mac(&keys.server, transcript.as_bytes());
        Ok((Proved { signature }, format!("{unproved},p={}", STANDARD.encode(proof)).into_bytes()))
    }
}

impl Proved {
    /// Reads server-final: the server knows the password's keys too.
    pub fn verify(self, server_final: &[u8]) -> Result<(), ExchangeFault> {
        let signature = server_final.strip_prefix(b"v=").ok_or(ExchangeFault::Malformed)?;
        let end = signature.iter().position(|&b| b == b',').unwrap_or(signature.len());
        let signature = signature.get(..end).unwrap_or_default();
        let signature = STANDARD.decode(signature).map_err(|_| ExchangeFault::Malformed)?;
        verify_slices_are_equal(&signature, &self.signature).map_err(|_| ExchangeFault::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ITERATIONS, ScramServer, Verifier};

    fn exchange(ring: &KeyRing, verifier: &Verifier, password: &str) -> bool {
        let (client, first) = Exchange::start("client".to_owned());
        let (server, server_first) = ScramServer::start(verifier, &first, "server").unwrap();
        let (proved, last) = client.prove(&server_first, &Secret::new(password), ring).unwrap();
        server.finish(&last).is_ok_and(|server_final| proved.verify(&server_final).is_ok())
    }

    #[test]
    fn both_sides_prove_the_password_with_derived_and_with_kept_keys() {
        let ring = KeyRing::default();
        let verifier = Verifier::from_password("grün & gut", b"0123456789abcdef", ITERATIONS);
        for _ in 0..2 {
            assert!(exchange(&ring, &verifier, "grün & gut"));
            assert!(!exchange(&ring, &verifier, "grün & schlecht"));
        }
        assert_eq!(ring.0.lock().unwrap().len(), 2);
        // The same password under another salt has other keys.
        let resalted = Verifier::from_password("grün & gut", b"fedcba9876543210", ITERATIONS);
        assert!(exchange(&ring, &resalted, "grün & gut"));
        assert!(exchange(&ring, &verifier, "grün & gut"));
    }

    #[test]
    fn a_bounded_number_of_keys_is_kept_and_the_oldest_goes() {
        let ring = KeyRing::default();
        let one = NonZeroU32::MIN;
        for n in 0..KEPT_MAX + 10 {
            ring.keys(&Secret::new(n.to_string()), b"salt", one);
        }
        assert_eq!(ring.0.lock().unwrap().len(), KEPT_MAX);
        assert!(ring.recall(&Secret::new("9"), b"salt", one).is_none());
        assert!(ring.recall(&Secret::new("10"), b"salt", one).is_some());
    }

    #[test]
    fn a_server_that_lies_is_found_out() {
        let ring = KeyRing::default();
        let prove = |first: &str| {
            let (client, _) = Exchange::start("abc".to_owned());
            client.prove(first.as_bytes(), &Secret::new("x"), &ring).map(|(proved, _)| proved)
        };
        for bad in
            ["", "r=abcd", "r=abcd,s=!,i=1", "r=abcd,s=aaaa,i=0", "r=abcd,s=aaaa,i=x", "s=aaaa,r=abcd,i=1"]
        {
            assert_eq!(prove(bad).unwrap_err(), ExchangeFault::Malformed, "{bad}");
        }
        for nonce in ["abc", "other"] {
            let first = format!("r={nonce},s=aaaa,i=1");
            assert_eq!(prove(&first).unwrap_err(), ExchangeFault::Nonce);
        }
        assert_eq!(prove("r=abcd,s=aaaa,i=1000001").unwrap_err(), ExchangeFault::Iterations);
        let verify = |text: &str| prove("r=abcd,s=aaaa,i=1").unwrap().verify(text.as_bytes());
        assert_eq!(verify("v=aaaa"), Err(ExchangeFault::Signature));
        assert_eq!(verify("e=other-error"), Err(ExchangeFault::Malformed));
    }

    #[test]
    fn the_debug_forms_show_no_key() {
        let ring = KeyRing::default();
        let (client, _) = Exchange::start("abc".to_owned());
        let (proved, _) = client.prove(b"r=abcd,s=aaaa,i=1", &Secret::new("x"), &ring).unwrap();
        assert_eq!(format!("{ring:?} {proved:?}"), "KeyRing(…) Proved(…)");
    }
}
