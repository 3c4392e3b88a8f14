//! Service tokens: what a process shows to another when it calls a port there.
//! Short-lived JSON Web Tokens signed with Ed25519, from one context and for one
//! context. Each issuer's key pair is derived from the one secret that the
//! processes of a deployment share, so that nothing is handed out or fetched
//! before the first call. What this lacks: a wall between contexts. Whoever
//! holds the secret can speak for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cleave_vocabulary::Clock;
use http::{HeaderValue, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::AUDIENCE;
use crate::Problem;

/// Goes before the names of issuers and audiences: no user's token has it.
const PREFIX: &str = "cleave/";
/// Seconds that a token is good for.
const LIFETIME: i64 = 120;
/// A token is replaced when no more than this many of them are left.
const RENEWED: i64 = 60;
/// Seconds that the clocks of two machines may be apart.
const SKEW: i64 = 30;
/// Tokens that a verifier remembers: a few for each pair of contexts.
const REMEMBERED: usize = 1024;
/// No token of ours is as long as this many bytes.
const LONGEST: usize = 1024;
/// Fewer bytes can be guessed.
const SHORTEST_SECRET: usize = 32;

/// A key could not be derived, or a token not be signed.
#[derive(Debug, thiserror::Error)]
#[error("service tokens: {0}")]
pub struct ServiceKeyError(String);

impl ServiceKeyError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The key pairs of all services of a deployment, derived from its secret.
#[derive(Clone)]
pub struct ServiceKeys(Arc<Prk>);

impl ServiceKeys {
    /// From the secret, 32 bytes or more.
    pub fn new(secret: &str) -> Result<Self, ServiceKeyError> {
        if secret.len() < SHORTEST_SECRET {
            let message = format!("the secret must have {SHORTEST_SECRET} characters or more");
            return Err(ServiceKeyError(message));
        }
        let salt = Salt::new(HKDF_SHA256, b"cleave service tokens 1");
        Ok(Self(Arc::new(salt.extract(secret.as_bytes()))))
    }

    fn pair(&self, service: &str) -> Result<Ed25519KeyPair, ServiceKeyError> {
        let mut seed = [0; 32];
        let info = [service.as_bytes()];
        let expanded = self.0.expand(&info, HKDF_SHA256);
        expanded
            .and_then(|key| key.fill(&mut seed))
            .map_err(ServiceKeyError::of)?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map_err(ServiceKeyError::of)
    }

    fn signing(&self, service: &str) -> Result<EncodingKey, ServiceKeyError> {
        let der = self
            .pair(service)?
            .to_pkcs8()
            .map_err(ServiceKeyError::of)?;
        Ok(EncodingKey::from_ed_der(der.as_ref()))
    }

    fn verifying(&self, service: &str) -> Result<DecodingKey, ServiceKeyError> {
        let x = URL_SAFE_NO_PAD.encode(self.pair(service)?.public_key());
        DecodingKey::from_ed_components(&x).map_err(ServiceKeyError::of)
    }
}

/// The key that recorded answers are sealed with in every process of a deployment,
/// from its secret.
pub fn sealing_key(secret: &str) -> Result<[u8; 32], ServiceKeyError> {
    let salt = Salt::new(HKDF_SHA256, b"cleave sealing 1");
    let mut key = [0; 32];
    let secret = salt.extract(secret.as_bytes());
    let expanded = secret.expand(&[b"answers"], HKDF_SHA256);
    expanded
        .and_then(|expanded| expanded.fill(&mut key))
        .map_err(ServiceKeyError::of)?;
    Ok(key)
}

#[derive(Serialize, Deserialize)]
struct ServiceClaims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// Makes the tokens of one service, and uses each for half of its time.
pub struct ServiceTokens {
    service: String,
    key: EncodingKey,
    clock: Arc<dyn Clock>,
    /// By audience.
    current: Mutex<HashMap<String, (HeaderValue, i64)>>,
}

impl ServiceTokens {
    /// Of `service`.
    pub fn new(
        keys: &ServiceKeys,
        service: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServiceKeyError> {
        Ok(Self {
            key: keys.signing(service)?,
            service: service.to_owned(),
            clock,
            current: Mutex::default(),
        })
    }

    /// What the `aud` of a token for this service says.
    pub fn audience(service: &str) -> String {
        format!("{PREFIX}{service}")
    }

    /// `Bearer …`, for a call to `audience`.
    pub fn bearer(&self, audience: &str) -> Result<HeaderValue, ServiceKeyError> {
        let now = self.clock.now().as_seconds();
        let mut current = self.current.lock();
        if let Some((token, expires)) = current.get(audience)
            && *expires - now > RENEWED
        {
            return Ok(token.clone());
        }
        let token = self.sign(audience, now)?;
        current.insert(audience.to_owned(), (token.clone(), now + LIFETIME));
        Ok(token)
    }

    fn sign(&self, audience: &str, now: i64) -> Result<HeaderValue, ServiceKeyError> {
        let claims = ServiceClaims {
            iss: format!("{PREFIX}{}", self.service),
            aud: Self::audience(audience),
            iat: now,
            exp: now + LIFETIME,
        };
        let header = Header {
            kid: Some(self.service.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token =
            jsonwebtoken::encode(&header, &claims, &self.key).map_err(ServiceKeyError::of)?;
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(ServiceKeyError::of)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Verifies service tokens; remembers what it verified. Cheap to clone.
#[derive(Clone)]
pub struct ServiceVerifier(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    /// By the token's SHA-256: what is remembered is not a token.
    verified: Cache<[u8; 32], Arc<ServiceClaims>>,
}

impl ServiceVerifier {
    /// Of the tokens of these services, and no others.
    pub fn new(
        keys: &ServiceKeys,
        services: &[&str],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServiceKeyError> {
        let key = |service: &&str| Ok(((*service).to_owned(), keys.verifying(service)?));
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Times and audience are compared here, with this clock and a message for each.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self(Arc::new(Inner {
            clock,
            keys: services.iter().map(key).collect::<Result<_, _>>()?,
            validation,
            verified: Cache::new(REMEMBERED),
        })))
    }

    /// Which service shows this value of `Authorization` to `audience`.
    pub fn verify(
        &self,
        authorization: Option<&HeaderValue>,
        audience: &str,
    ) -> Result<String, Problem> {
        let value = authorization.ok_or_else(service_token_required)?;
        let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
        let token = match parts {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(service_token_required()),
        };
        let claims = self.claims(token)?;
        let here = claims.aud.strip_prefix(PREFIX) == Some(audience);
        if !here {
            return Err(wrong_audience(audience));
        }
        let now = self.0.clock.now().as_seconds();
        if now >= claims.exp + SKEW || now + SKEW < claims.iat {
            return Err(service_token_out_of_time());
        }
        Ok(claims.iss[PREFIX.len()..].to_owned())
    }

    fn claims(&self, token: &str) -> Result<Arc<ServiceClaims>, Problem> {
        if token.len() > LONGEST {
            return Err(invalid_service_token());
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(claims) = self.0.verified.get(&digest) {
            return Ok(claims);
        }
        if audience_of(token).is_some_and(|audience| audience == AUDIENCE) {
            return Err(user_token_refused());
        }
        let claims = Arc::new(self.check(token).ok_or_else(invalid_service_token)?);
        self.0.verified.insert(digest, claims.clone());
        Ok(claims)
    }

    fn check(&self, token: &str) -> Option<ServiceClaims> {
        let service = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.0.keys.get(&service)?;
        let decoded = jsonwebtoken::decode::<ServiceClaims>(token, key, &self.0.validation);
        let claims = decoded.ok()?.claims;
        (claims.iss.strip_prefix(PREFIX) == Some(&service)).then_some(claims)
    }
}

/// Whether a token says of itself that it is a service's; nothing is verified.
pub(super) fn is_service_token(token: &str) -> bool {
    audience_of(token).is_some_and(|audience| audience.starts_with(PREFIX))
}

fn audience_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Addressed {
        aud: String,
    }
    let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let addressed: Addressed = serde_json::from_slice(&body).ok()?;
    Some(addressed.aud)
}

fn refused(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

fn service_token_required() -> Problem {
    let detail = "Other processes of the deployment call here, and show a service token.";
    refused("service_token_required", detail)
}

fn user_token_refused() -> Problem {
    let detail = "An access token of a user opens no internal route.";
    refused("user_token_refused", detail)
}

fn invalid_service_token() -> Problem {
    let detail = "The service token is not signed with this deployment's secret: internal.key must be the same in every process.";
    refused("invalid_service_token", detail)
}

fn wrong_audience(audience: &str) -> Problem {
    let detail = format!(
        "The service token is not for `{audience}`: a setting under topology names the wrong address."
    );
    refused("wrong_audience", detail)
}

fn service_token_out_of_time() -> Problem {
    let detail = format!(
        "The service token has expired or is of a time to come: the clocks of the two machines are more than {SKEW} seconds apart."
    );
    refused("service_token_out_of_time", detail)
}

/// On a public route.
pub(super) fn service_token_refused() -> Problem {
    let detail = "A service's token opens no public route. Sign in as a user.";
    refused("service_token_refused", detail)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cleave_vocabulary::ManualClock;

    use super::*;

    const SECRET: &str = "a secret of more than 32 characters";

    struct Deployment {
        clock: ManualClock,
        keys: ServiceKeys,
    }

    impl Deployment {
        fn new(secret: &str) -> Self {
            Self {
                clock: ManualClock::default(),
                keys: ServiceKeys::new(secret).expect("long enough"),
            }
        }

        fn tokens(&self, service: &str) -> ServiceTokens {
            let clock = Arc::new(self.clock.clone());
            ServiceTokens::new(&self.keys, service, clock).expect("a key")
        }

        fn verifier(&self) -> ServiceVerifier {
            let clock = Arc::new(self.clock.clone());
            ServiceVerifier::new(&self.keys, &["order", "gateway"], clock).expect("keys")
        }
    }

    fn code(outcome: Result<String, Problem>) -> String {
        let problem = outcome.expect_err("refused");
        assert_eq!(problem.status, StatusCode::UNAUTHORIZED);
        problem.code.to_string()
    }

    #[test]
    fn a_token_says_which_service_calls_whom() {
        let here = Deployment::new(SECRET);
        let verifier = here.verifier();
        let token = here.tokens("order").bearer("payment").expect("a token");
        for _ in 0..2 {
            let caller = verifier.verify(Some(&token), "payment").expect("good");
            assert_eq!(caller, "order");
        }
        assert!(token.is_sensitive());
        let elsewhere = verifier.verify(Some(&token), "shipping");
        assert_eq!(code(elsewhere), "wrong_audience");
    }

    #[test]
    fn a_token_is_used_for_half_of_its_time_and_refused_after_the_whole() {
        let here = Deployment::new(SECRET);
        let (tokens, verifier) = (here.tokens("order"), here.verifier());
        let first = tokens.bearer("payment").expect("a token");
        here.clock.advance(Duration::from_secs(59));
        assert_eq!(tokens.bearer("payment").expect("a token"), first);
        here.clock.advance(Duration::from_secs(1));
        let second = tokens.bearer("payment").expect("a token");
        assert_ne!(second, first);
        here.clock.advance(Duration::from_secs(90));
        let late = verifier.verify(Some(&first), "payment");
        assert_eq!(code(late), "service_token_out_of_time");
        assert!(verifier.verify(Some(&second), "payment").is_ok());
    }

    #[test]
    fn a_token_of_a_time_to_come_is_refused() {
        let (here, there) = (Deployment::new(SECRET), Deployment::new(SECRET));
        there.clock.advance(Duration::from_secs(31));
        let token = there.tokens("order").bearer("payment").expect("a token");
        let early = here.verifier().verify(Some(&token), "payment");
        assert_eq!(code(early), "service_token_out_of_time");
        here.clock.advance(Duration::from_secs(1));
        assert!(here.verifier().verify(Some(&token), "payment").is_ok());
    }

    #[test]
    fn another_secret_another_service_and_no_token_are_refused() {
        let (here, there) = (
            Deployment::new(SECRET),
            Deployment::new("another secret, as long as the first"),
        );
        let verifier = here.verifier();
        let strange = there.tokens("order").bearer("payment").expect("a token");
        let unknown = here.tokens("stranger").bearer("payment").expect("a token");
        let word = HeaderValue::from_static("Bearer word");
        let long = HeaderValue::from_str(&format!("Bearer {}", "x".repeat(2000))).expect("ascii");
        for token in [strange, unknown, word, long] {
            let outcome = verifier.verify(Some(&token), "payment");
            assert_eq!(code(outcome), "invalid_service_token");
        }
        let basic = HeaderValue::from_static("Basic eDp5");
        for token in [None, Some(&basic)] {
            let outcome = verifier.verify(token, "payment");
            assert_eq!(code(outcome), "service_token_required");
        }
        assert!(ServiceKeys::new("too short").is_err());
    }
}
