//! Development certificates and a token issuer, made anew for the demo.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use crate::config::Secret;

const CERTIFICATE_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const KEY_ID: &str = "demo";

/// Why no certificate or token could be made.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot sign a token")]
    Token(#[from] jsonwebtoken::errors::Error),
}

/// A certificate authority's certificate and a server certificate for this machine, all PEM.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) server: String,
    pub(crate) server_key: Secret,
}

/// The authority's key is not kept: nothing else can be signed by it.
pub(crate) fn certificates(further: &[String]) -> Result<Certificates, PaperError> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Tollgate demo authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut server =
        CertificateParams::new([CERTIFICATE_NAMES.map(String::from).as_slice(), further].concat())?;
    server.distinguished_name.push(DnType::CommonName, "localhost");
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let server_certificate = server.signed_by(&server_key, &issuer)?;
    Ok(Certificates {
        authority: authority_certificate.pem(),
        server: format!("{}{}", server_certificate.pem(), authority_certificate.pem()),
        server_key: Secret::new(server_key.serialize_pem()),
    })
}

/// Signs tokens as a company's single sign-on would.
pub(crate) struct TokenIssuer {
    key: KeyPair,
}

impl TokenIssuer {
    pub(crate) const ISSUER: &'static str = "https://sso.opetence.example";
    pub(crate) const AUDIENCE: &'static str = "tollgate";
    pub(crate) const ALGORITHM: &'static str = "ES256";

    pub(crate) fn generate() -> Result<Self, PaperError> {
        Ok(Self { key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)? })
    }

    pub(crate) const fn key_id() -> &'static str {
        KEY_ID
    }

    /// The private key, PKCS #8 PEM.
    pub(crate) fn key_pem(&self) -> Secret {
        Secret::new(self.key.serialize_pem())
    }

    /// The public key as a key set (RFC 7517).
    pub(crate) fn jwks(&self) -> String {
        // An uncompressed point: 0x04, then x and y of 32 bytes each (SEC 1).
        let coordinates: Vec<String> = self
            .key
            .public_key_raw()
            .get(1..)
            .unwrap_or_default()
            .chunks(32)
            .map(|half| URL_SAFE_NO_PAD.encode(half))
            .collect();
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": Self::ALGORITHM, "kid": KEY_ID,
            "x": coordinates.first(), "y": coordinates.get(1),
        });
        format!("{:#}\n", json!({ "keys": [key] }))
    }

    /// A token for `email`, good for `seconds` from now.
    pub(crate) fn token(&self, email: &str, groups: &[&str], seconds: u64) -> Result<String, PaperError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "iss": Self::ISSUER, "aud": Self::AUDIENCE, "sub": email, "email": email, "groups": groups,
            "iat": now, "nbf": now, "exp": now + seconds,
        });
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(KEY_ID.to_owned());
        let key = EncodingKey::from_ec_der(self.key.serialized_der());
        Ok(jsonwebtoken::encode(&header, &claims, &key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation};

    #[test]
    fn a_token_verifies_with_the_published_key() {
        let issuer = TokenIssuer::generate().unwrap();
        let token = issuer.token("ana@opetence.example", &["orders-analysts"], 60).unwrap();
        let keys: JwkSet = serde_json::from_str(&issuer.jwks()).unwrap();
        let key = DecodingKey::from_jwk(keys.find(TokenIssuer::key_id()).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[TokenIssuer::AUDIENCE]);
        let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap().claims;
        assert_eq!(claims["email"], "ana@opetence.example");
        assert_eq!(claims["groups"][0], "orders-analysts");
    }
}
