//! Who calls: verified from the bearer token with the user context's public
//! keys (`EdDSA`). A layer verifies once for each request; extractors read what
//! it found. Nothing here knows passwords or sessions: a token is believed
//! until it expires.

mod layer;
mod services;
mod tokens;

use axum::extract::FromRequestParts;
use cleave_vocabulary::UserId;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::Problem;

pub use layer::{Authenticate, Authenticated, Identity};
pub use services::{ServiceKeyError, ServiceKeys, ServiceTokens, ServiceVerifier, sealing_key};
pub use tokens::{AUDIENCE, Claims, ISSUER, TokenVerifier};

/// What someone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys.
    Customer,
    /// Operates.
    Admin,
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
    fn require_admin(&self) -> Result<(), Problem> {
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

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Identity>() {
            Some(Identity::Known(caller)) => Ok(caller.clone()),
            Some(Identity::Refused(problem)) => Err(problem.clone()),
            // Without the layer nobody is known.
            Some(Identity::Anonymous) | None => Err(unauthorized()),
        }
    }
}

/// A caller who is an admin: 401 without a token, 403 for other roles. As the
/// first argument of a handler, before the path, the query and the body: whoever
/// may not do something learns that, and nothing else.
#[derive(Debug, Clone)]
pub struct Admin(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require_admin()?;
        Ok(Self(caller))
    }
}

/// The caller where there is one; a bad token is refused all the same.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Identity>() {
            Some(Identity::Known(caller)) => Ok(Self(Some(caller.clone()))),
            Some(Identity::Refused(problem)) => Err(problem.clone()),
            Some(Identity::Anonymous) | None => Ok(Self(None)),
        }
    }
}

fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "Send an access token: `Authorization: Bearer …`.",
    )
}

fn invalid_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "invalid_token",
        "The access token is not valid. Sign in again.",
    )
}

fn token_expired() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "token_expired",
        "The access token has expired. Refresh the session, or sign in again.",
    )
}

#[cfg(test)]
mod tests;
