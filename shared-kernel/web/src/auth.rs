//! Who calls: verified from the bearer token with the user context's public
//! keys (EdDSA). A layer verifies once for each request; extractors read what it found.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use cleave_vocabulary::{Clock, UserId};
use http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::Problem;

/// What someone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys.
    Customer,
    /// Operates.
    Admin,
}

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

/// An authenticated caller: as an argument of a handler it demands a token (401 without).
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// The session that the token belongs to.
    pub session: String,
}

impl Caller {
    /// Refuses all but admins with 403.
    pub fn require_admin(&self) -> Result<(), Problem> {
        if self.is_admin() {
            Ok(())
        } else {
            Err(Problem::forbidden())
        }
    }
    /// Whether the role is admin.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
    /// Whether `owner`'s things may be seen: one's own, or as an admin.
    pub fn may_see(&self, owner: UserId) -> bool {
        self.is_admin() || self.user == owner
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// The caller where there is one; a bad token is refused all the same.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// Verifies access tokens with a set of public keys; remembers what it verified until it expires.
#[derive(Clone)]
pub struct TokenVerifier {
    #[allow(dead_code)]
    inner: Arc<dyn Clock>, // the implementer decides
}

impl TokenVerifier {
    /// A verifier with no keys: it refuses every token until [`TokenVerifier::set_keys`].
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { inner: clock }
    }
    /// Trusts these keys: a JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037).
    pub fn set_keys(&self, _jwks: &serde_json::Value) -> Result<(), String> {
        todo!()
    }
    /// The claims, where signature, audience and times are right.
    pub fn verify(&self, _token: &str) -> Result<Caller, Problem> {
        todo!()
    }
}

/// A tower layer that verifies the bearer token, if any, and leaves the outcome
/// in the request's extensions for [`Caller`] and [`MaybeCaller`].
#[derive(Clone)]
pub struct Authenticate {
    #[allow(dead_code)]
    verifier: TokenVerifier,
}

impl Authenticate {
    /// Over a verifier.
    pub fn new(verifier: TokenVerifier) -> Self {
        Self { verifier }
    }
}
