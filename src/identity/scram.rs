//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), as a state machine without IO.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::primitives::{KEY_BYTES, mac, salted_password, sha256};

/// Iterations of a verifier made here; PostgreSQL's own default.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);

/// What is kept of a password: enough to check it, not enough to use it.
/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, base64, as PostgreSQL writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// Why an exchange did not end in a login; for the auditor, not for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    #[error("no SCRAM verifier")]
    Verifier,
    #[error("a malformed SCRAM message")]
    Malformed,
    #[error("channel binding was asked for, which is not offered")]
    ChannelBinding,
    #[error("the nonce is not the one that was given")]
    Nonce,
    #[error("the password does not fit")]
    Password,
}

impl Verifier {
    pub fn parse(text: &str) -> Result<Self, ScramError> {
        let parts = || {
            let rest = text.trim().strip_prefix("SCRAM-SHA-256$")?;
            let (setup, keys) = rest.split_once('$')?;
            let (iterations, salt) = setup.split_once(':')?;
            let (stored, server) = keys.split_once(':')?;
            Some(Self {
                iterations: iterations.parse().ok()?,
                salt: STANDARD.decode(salt).ok()?,
                stored_key: STANDARD.decode(stored).ok()?.try_into().ok()?,
                server_key: STANDARD.decode(server).ok()?.try_into().ok()?,
            })
        };
        parts().ok_or(ScramError::Verifier)
    }

    pub fn from_password(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let salted = salted_password(password, salt, iterations);
        let client_key = mac(&salted, b"Client Key");
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: sha256(&client_key),
            server_key: mac(&salted, b"Server Key"),
        }
    }

    /// Stands in for an account that does not exist: its salt is always the same for the same name, and
    /// no password fits. `secret` is the process's own.
    pub fn mock(user: &str, secret: &[u8; KEY_BYTES]) -> Self {
        let salt = mac(secret, user.as_bytes()).iter().take(16).copied().collect();
        // Keys nobody has the password of.
        let (stored_key, server_key) = (mac(secret, b"stored"), mac(secret, b"server"));
        Self { iterations: ITERATIONS, salt, stored_key, server_key }
    }

    /// For clients that send the password itself, inside TLS. Takes the same time for every password.
    pub fn check_password(&self, password: &str) -> bool {
        let salted = salted_password(password, &self.salt, self.iterations);
        let stored = sha256(&mac(&salted, b"Client Key"));
        verify_slices_are_equal(&stored, &self.stored_key).is_ok()
    }

    /// As PostgreSQL writes it.
    pub fn text(&self) -> String {
        let (salt, stored, server) =
            (STANDARD.encode(&self.salt), STANDARD.encode(self.stored_key), STANDARD.encode(self.server_key));
        format!("SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// An exchange after its first two messages.
#[derive(Debug)]
pub struct ScramServer {
    verifier: Verifier,
    nonce: String,
    gs2_header: String,
    /// Both first messages, without the header.
    transcript: String,
}

impl ScramServer {
    /// Reads client-first, gives server-first. `server_nonce` is fresh randomness, printable.
    pub fn start(
        verifier: &Verifier,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let text = std::str::from_utf8(client_first).map_err(|_| ScramError::Malformed)?;
        let mut parts = text.splitn(3, ',');
        let (flag, authzid) = (parts.next().unwrap_or_default(), parts.next().ok_or(ScramError::Malformed)?);
        let bare = parts.next().ok_or(ScramError::Malformed)?;
        if flag.starts_with("p=") {
            return Err(ScramError::ChannelBinding);
        }
        if !matches!(flag, "n" | "y") || !authzid.is_empty() {
            return Err(ScramError::Malformed);
        }
        // The name stands in the startup message; what is repeated here is not used, as in PostgreSQL.
        let mut attributes = bare.split(',');
        let name = attributes.next().unwrap_or_default();
        let nonce =
            attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
        let printable = nonce.bytes().all(|b| b.is_ascii_graphic());
        if !name.starts_with("n=") || nonce.is_empty() || nonce.len() > 1024 || !printable {
            return Err(ScramError::Malformed);
        }
        let nonce = format!("{nonce}{server_nonce}");
        let salt = STANDARD.encode(&verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let transcript = format!("{bare},{server_first}");
        let gs2_header = format!("{flag},,");
        let server = Self { verifier: verifier.clone(), nonce, gs2_header, transcript };
        Ok((server, server_first.into_bytes()))
    }

    /// Reads client-final, gives server-final.
    pub fn finish(self, client_final: &[u8]) -> Result<Vec<u8>, ScramError> {
        let text = std::str::from_utf8(client_final).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|binding| binding.strip_prefix("c="));
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        if binding != Some(STANDARD.encode(&self.gs2_header).as_str()) {
            return Err(ScramError::ChannelBinding);
        }
        if nonce != Some(self.nonce.as_str()) {
            return Err(ScramError::Nonce);
        }
        let proof: [u8; KEY_BYTES] =
            STANDARD.decode(proof).ok().and_then(|p| p.try_into().ok()).ok_or(ScramError::Malformed)?;
        let transcript = format!("{},{without_proof}", self.transcript);
        let signature = mac(&self.verifier.stored_key, transcript.as_bytes());
        let mut client_key = [0; KEY_BYTES];
        for (key, (proof, signature)) in client_key.iter_mut().zip(proof.iter().zip(signature)) {
            *key = proof ^ signature;
        }
        verify_slices_are_equal(&sha256(&client_key), &self.verifier.stored_key)
            .map_err(|_| ScramError::Password)?;
        let server_signature = STANDARD.encode(mac(&self.verifier.server_key, transcript.as_bytes()));
        Ok(format!("v={server_signature}").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    fn exchange(verifier: &Verifier, password: &str) -> Result<(), ScramError> {
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let (server, first) = ScramServer::start(verifier, client.message(), "abcDEF123")?;
        client.update(&first).unwrap();
        let last = server.finish(client.message())?;
        client.finish(&last).unwrap();
        Ok(())
    }

    #[test]
    fn the_right_password_logs_in_and_a_wrong_one_does_not() {
        let verifier = Verifier::from_password("grün & gut", b"0123456789abcdef", ITERATIONS);
        assert_eq!(exchange(&verifier, "grün & gut"), Ok(()));
        assert_eq!(exchange(&verifier, "grün & schlecht"), Err(ScramError::Password));
        assert!(verifier.check_password("grün & gut"));
        assert!(!verifier.check_password(""));
    }

    #[test]
    fn verifiers_are_read_as_postgresql_writes_them() {
        let text = postgres_protocol::password::scram_sha_256(b"secret");
        let verifier = Verifier::parse(&text).unwrap();
        assert_eq!(verifier.text(), text);
        assert_eq!(exchange(&verifier, "secret"), Ok(()));
        for bad in ["", "secret", "SCRAM-SHA-256$0:aa$bb:cc", "SCRAM-SHA-256$4096:!$!:!", "md5abc"] {
            assert_eq!(Verifier::parse(bad), Err(ScramError::Verifier), "{bad}");
        }
    }

    #[test]
    fn a_name_without_account_has_a_steady_salt_and_no_password() {
        let mock = Verifier::mock("nobody", &[7; 32]);
        assert_eq!(mock, Verifier::mock("nobody", &[7; 32]));
        assert_ne!(mock.salt, Verifier::mock("other", &[7; 32]).salt);
        assert_eq!(exchange(&mock, "x"), Err(ScramError::Password));
    }

    #[test]
    fn channel_binding_other_nonces_and_nonsense_are_refused() {
        let verifier = Verifier::from_password("x", b"salt", ITERATIONS);
        let start = |text: &str| ScramServer::start(&verifier, text.as_bytes(), "S").map(drop);
        assert_eq!(start("p=tls-server-end-point,,n=,r=a"), Err(ScramError::ChannelBinding));
        for bad in ["", "n", "n,,", "n,,n=", "n,,n=,r=", "n,a=x,n=,r=a", "m,,n=,r=a"] {
            assert_eq!(start(bad), Err(ScramError::Malformed), "{bad}");
        }
        let (server, _) = ScramServer::start(&verifier, b"n,,n=,r=a", "S").unwrap();
        assert_eq!(server.finish(b"c=biws,r=other,p=AAAA"), Err(ScramError::Nonce));
    }

    #[test]
    fn the_debug_form_shows_no_key() {
        let verifier = Verifier::from_password("x", b"salt", ITERATIONS);
        assert_eq!(format!("{verifier:?}"), "Verifier(…)");
    }

    proptest::proptest! {
        #[test]
        fn no_message_makes_it_panic(first: Vec<u8>, last: Vec<u8>) {
            let verifier = Verifier::mock("x", &[1; 32]);
            let _ = ScramServer::start(&verifier, &first, "S");
            if let Ok((server, _)) = ScramServer::start(&verifier, b"n,,n=,r=a", "S") {
                let _ = server.finish(&last);
            }
        }
    }
}
