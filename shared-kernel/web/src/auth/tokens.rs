//! Access tokens: JSON Web Tokens (RFC 7519) signed with Ed25519. Verifying a
//! signature costs tens of microseconds, so what was verified is remembered, in
//! a bounded cache, for as long as the token and the keys are good.

use std::collections::HashMap;
use std::sync::Arc;

use cleave_vocabulary::{Clock, UserId};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::services::{is_service_token, service_token_refused};
use super::{Caller, Role, invalid_token, token_expired};
use crate::Problem;

/// Who issues access tokens.
pub const ISSUER: &str = "cleave";
/// Whom access tokens are for; a service's token has another audience.
pub const AUDIENCE: &str = "cleave-api";

/// Tokens that are remembered.
const REMEMBERED: usize = 16_384;
/// No token of ours is as long as this many bytes.
const LONGEST: usize = 4096;
/// Seconds that the clocks of two machines may be apart.
const SKEW: i64 = 5;

/// What an access token says (RFC 7519).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// `cleave`.
    pub iss: String,
    /// `cleave-api`; a service's token has another audience.
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// The user's role.
    pub role: Role,
    /// The session (token family) it belongs to.
    pub sid: String,
    /// Issued at, seconds.
    pub iat: i64,
    /// Expires at, seconds.
    pub exp: i64,
}

/// The claims, with one that our own tokens do without.
#[derive(Deserialize)]
struct Timed {
    #[serde(flatten)]
    claims: Claims,
    #[serde(default)]
    nbf: Option<i64>,
}

/// A token whose signature, issuer and audience were found right.
#[derive(Clone)]
struct Verified {
    caller: Caller,
    not_before: i64,
    expires: i64,
}

/// Verifies access tokens with a set of public keys; remembers what it verified until it expires.
#[derive(Clone)]
pub struct TokenVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    keys: RwLock<Keys>,
    /// By the token's SHA-256: what is remembered is not a token.
    verified: Cache<[u8; 32], Verified>,
    validation: Validation,
}

#[derive(Default)]
struct Keys {
    source: serde_json::Value,
    by_id: HashMap<String, DecodingKey>,
}

impl TokenVerifier {
    /// A verifier with no keys: it can't judge any token until [`TokenVerifier::set_keys`],
    /// and says 503 instead of calling a good one bad.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // The library asks the machine for the time; here the clock is an argument.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            inner: Arc::new(Inner {
                clock,
                keys: RwLock::default(),
                verified: Cache::new(REMEMBERED),
                validation,
            }),
        }
    }

    /// Trusts these keys, and no longer those before: a JSON Web Key Set (RFC
    /// 7517) of Ed25519 keys (RFC 8037). Keys of other kinds are passed over.
    pub fn set_keys(&self, jwks: &serde_json::Value) -> Result<(), String> {
        if self.inner.keys.read().source == *jwks {
            return Ok(());
        }
        let set = JwkSet::deserialize(jwks).map_err(|error| format!("not a key set: {error}"))?;
        let by_id: HashMap<_, _> = set.keys.iter().filter_map(usable).collect();
        if by_id.is_empty() {
            return Err("the key set has no Ed25519 key with an id".to_owned());
        }
        *self.inner.keys.write() = Keys {
            source: jwks.clone(),
            by_id,
        };
        // What a withdrawn key had signed must not be believed from memory.
        self.inner.verified.clear();
        Ok(())
    }

    /// The claims, where signature, audience and times are right.
    pub fn verify(&self, token: &str) -> Result<Caller, Problem> {
        if token.len() > LONGEST {
            return Err(invalid_token());
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let verified = match self.inner.verified.get(&digest) {
            Some(verified) => verified,
            None => self.check(token, digest).map_err(|problem| {
                if is_service_token(token) {
                    service_token_refused()
                } else {
                    problem
                }
            })?,
        };
        let now = self.inner.clock.now().as_seconds();
        if now >= verified.expires {
            self.inner.verified.remove(&digest);
            return Err(token_expired());
        }
        if now + SKEW < verified.not_before {
            return Err(invalid_token());
        }
        Ok(verified.caller)
    }

    fn check(&self, token: &str, digest: [u8; 32]) -> Result<Verified, Problem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid_token())?;
        let keys = self.inner.keys.read();
        if keys.by_id.is_empty() {
            return Err(Problem::unavailable(
                &"the keys of access tokens are not known yet",
            ));
        }
        let key = header.kid.and_then(|kid| keys.by_id.get(&kid));
        let key = key.ok_or_else(invalid_token)?;
        let timed = jsonwebtoken::decode::<Timed>(token, key, &self.inner.validation)
            .map_err(|_| invalid_token())?
            .claims;
        let verified = Verified {
            not_before: timed.nbf.unwrap_or(i64::MIN),
            expires: timed.claims.exp,
            caller: Caller {
                user: timed.claims.sub,
                role: timed.claims.role,
                session: timed.claims.sid,
            },
        };
        // Still under the lock on the keys, so that no withdrawal slips between.
        self.inner.verified.insert(digest, verified.clone());
        Ok(verified)
    }
}

fn usable(jwk: &Jwk) -> Option<(String, DecodingKey)> {
    let AlgorithmParameters::OctetKeyPair(pair) = &jwk.algorithm else {
        return None;
    };
    if pair.curve != EllipticCurve::Ed25519 {
        return None;
    }
    let id = jwk.common.key_id.clone()?;
    DecodingKey::from_jwk(jwk).ok().map(|key| (id, key))
}
