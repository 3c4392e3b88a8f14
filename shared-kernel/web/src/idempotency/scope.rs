//! Whom a key belongs to.

use axum::extract::{FromRequestParts, OriginalUri};
use cleave_vocabulary::{CallContext, CorrelationId};
use http::HeaderName;
use http::request::Parts;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::auth::Identity;
use crate::{FieldError, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ANONYMOUS: &str = "anonymous";

/// Whom a key belongs to: the caller and the route. Extracted from the request,
/// with the `Idempotency-Key` if it has one (422 where it is not 1 to 255 characters).
#[derive(Debug, Clone)]
pub struct Scope {
    /// The user's id, or `anonymous`.
    pub caller: String,
    /// Method and path: `POST /api/v1/orders`.
    pub route: String,
    /// The key, where the request has one.
    pub key: Option<String>,
    /// The request's correlation id: a refusal is recorded with the one it was answered with.
    pub correlation: Option<CorrelationId>,
}

impl Scope {
    /// 128 bits of SHA-256 over caller, route and key; `None` without a key.
    /// Callers and routes hold no line breaks, so the parts can't run together.
    pub(super) fn hash(&self) -> Option<Uuid> {
        let key = self.key.as_ref()?;
        let mut hash = Sha256::new();
        for part in [&self.caller, &self.route, key] {
            hash.update(part.as_bytes());
            hash.update(b"\n");
        }
        Some(first_half(&hash.finalize().into()))
    }
}

/// 128 of 256 bits, in the one type of that size that every database has.
pub(super) fn first_half(digest: &[u8; 32]) -> Uuid {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(half)
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let key = key(parts)?;
        let original = parts.extensions.get::<OriginalUri>();
        let path = original.map_or(&parts.uri, |OriginalUri(uri)| uri).path();
        let caller = match parts.extensions.get::<Identity>() {
            Some(Identity::Known(caller)) => caller.user.to_string(),
            _ => ANONYMOUS.to_owned(),
        };
        let call = parts.extensions.get::<CallContext>();
        Ok(Self {
            caller,
            route: format!("{} {path}", parts.method),
            key,
            correlation: call.map(|call| call.correlation.clone()),
        })
    }
}

fn key(parts: &Parts) -> Result<Option<String>, Problem> {
    let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().ok();
    text.filter(|text| (1..=255).contains(&text.len()))
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| {
            Problem::validation(vec![FieldError::new(
                "Idempotency-Key",
                "invalid",
                "must have 1 to 255 characters of ASCII",
            )])
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    async fn given(headers: &[(&str, &str)]) -> Result<Scope, Problem> {
        let mut parts = parts("/api/v1/orders?a=b", headers);
        Scope::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_key_has_1_to_255_characters() {
        let none = given(&[]).await.expect("optional");
        assert_eq!(none.hash(), None);
        let most = "x".repeat(255);
        let scope = given(&[("idempotency-key", &most)]).await.expect("fits");
        assert_eq!(scope.route, "GET /api/v1/orders");
        assert!(scope.hash().is_some());
        for text in ["", &"x".repeat(256)] {
            let problem = given(&[("idempotency-key", text)]).await;
            assert_eq!(problem.expect_err("refused").code, "validation_failed");
        }
    }

    #[tokio::test]
    async fn a_key_belongs_to_its_caller_and_route() {
        let scope = given(&[("idempotency-key", "k")]).await.expect("scope");
        let other = |change: fn(&mut Scope)| {
            let mut other = scope.clone();
            change(&mut other);
            other.hash()
        };
        let hashes = [
            scope.hash(),
            other(|scope| scope.caller = "usr_1".into()),
            other(|scope| scope.route = "POST /api/v1/orders".into()),
            other(|scope| scope.key = Some("l".into())),
        ];
        let distinct: std::collections::HashSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
