//! SSO tokens: JWTs (RFC 7519) by keys of a JWKS file (RFC 7517).

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::policy::{Auth, Principal, PrincipalKind, TokenRule};

const TOKEN_BYTES_MAX: usize = 16 * 1024;
const CLAIMS_MAX: usize = 64;
const CLAIM_BYTES_MAX: usize = 1024;
const GROUPS_MAX: usize = 256;
/// How far clocks may differ.
const LEEWAY_SECONDS: i64 = 30;

/// Why a token is no login; for the auditor, not for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("not a token, or signed by an algorithm that is not accepted")]
    Malformed,
    #[error("no rule knows the token's issuer")]
    Issuer,
    #[error("no key of the issuer fits the token's key and algorithm")]
    Key,
    #[error("the token's signature, issuer or audience is wrong")]
    Signature,
    #[error("the token has expired or never ends")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token names no principal")]
    NoPrincipal,
    #[error("the token is for another user")]
    OtherUser,
}

/// One token rule with its keys.
#[derive(Debug)]
pub struct TokenKeys {
    rule: TokenRule,
    keys: JwkSet,
}

impl TokenKeys {
    /// `jwks` is the text of a JWKS file.
    pub fn new(rule: TokenRule, jwks: &str) -> Result<Self, serde_json::Error> {
        Ok(Self { rule, keys: serde_json::from_str(jwks)? })
    }

    /// The key that the token names, if it is one for its algorithm.
    fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let fits =
            |key: &&Jwk| (kid.is_none() || key.common.key_id.as_deref() == kid) && serves(key, algorithm);
        let mut keys = self.keys.keys.iter().filter(fits);
        let key = keys.next()?;
        // A token that names no key is taken only where there is one to choose.
        if kid.is_none() && keys.next().is_some() {
            return None;
        }
        DecodingKey::from_jwk(key).ok()
    }
}

/// Whether a key is of the kind its algorithm needs.
fn serves(key: &Jwk, algorithm: Algorithm) -> bool {
    let named = match key.common.key_algorithm {
        Some(named) => Algorithm::try_from(named).is_ok_and(|named| named == algorithm),
        None => true,
    };
    let kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(_), Algorithm::EdDSA) => true,
        _ => false,
    };
    named && kind
}

/// Who the token names, if it is valid at `now` (Unix seconds) and for `user`, the startup message's
/// name; an empty name takes whom the token names.
pub fn principal(rules: &[TokenKeys], token: &str, user: &str, now: i64) -> Result<Principal, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
    let claimed: Map<String, Value> =
        jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| TokenFault::Malformed)?;
    let issuer = claimed.get("iss").and_then(Value::as_str).ok_or(TokenFault::Issuer)?;
    let known = rules.iter().find(|known| known.rule.issuer == issuer).ok_or(TokenFault::Issuer)?;
    let key = known.key(header.kid.as_deref(), header.alg).ok_or(TokenFault::Key)?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[&known.rule.issuer]);
    validation.set_audience(&[&known.rule.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    // Checked below, against the time this function was given.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
        .map_err(|_| TokenFault::Signature)?
        .claims;
    let expires_at = lifetime(&claims, now)?;
    let name = claims.get(&known.rule.principal_claim).and_then(Value::as_str).unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() || name.len() > CLAIM_BYTES_MAX {
        return Err(TokenFault::NoPrincipal);
    }
    if !user.is_empty() && !user.eq_ignore_ascii_case(&name) {
        return Err(TokenFault::OtherUser);
    }
    Ok(Principal {
        name,
        kind: PrincipalKind::Person,
        auth: Auth::Token,
        groups: groups(&known.rule, &claims),
        claims: texts(&claims),
        expires_at: Some(expires_at),
    })
}

/// When the token ends, if that is to come and its beginning is past.
fn lifetime(claims: &Map<String, Value>, now: i64) -> Result<i64, TokenFault> {
    let seconds = |name: &str| {
        let value = claims.get(name)?;
        value.as_i64().or_else(|| value.as_f64().filter(|s| s.is_finite()).map(|s| s as i64))
    };
    let expires_at = seconds("exp").ok_or(TokenFault::Expired)?;
    if expires_at.saturating_add(LEEWAY_SECONDS) <= now {
        return Err(TokenFault::Expired);
    }
    match (claims.get("nbf"), seconds("nbf")) {
        (Some(_), None) => Err(TokenFault::NotYet),
        (_, Some(begins)) if begins > now.saturating_add(LEEWAY_SECONDS) => Err(TokenFault::NotYet),
        _ => Ok(expires_at.saturating_add(LEEWAY_SECONDS)),
    }
}

fn groups(rule: &TokenRule, claims: &Map<String, Value>) -> Vec<String> {
    let claim = rule.groups_claim.as_ref().and_then(|name| claims.get(name));
    match claim {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).take(GROUPS_MAX).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn texts(claims: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    claims
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), text(value).filter(|t| t.len() <= CLAIM_BYTES_MAX)?)))
        .take(CLAIMS_MAX)
        .collect()
}
