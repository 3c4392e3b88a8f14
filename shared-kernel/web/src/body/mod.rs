//! Request bodies: JSON, known fields only, every rule checked, every error
//! named by field. A body that is right is parsed once; only one that is wrong
//! is looked at again, to say everything that is wrong with it.

mod faults;
mod rules;

use axum::extract::{FromRequest, OptionalFromRequest, Request};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use validator::Validate;

use crate::Problem;
use crate::problem::{too_large, unsupported_media_type};

pub(crate) use faults::explain;

/// A JSON body that has passed its rules. 415 for another media type, 400
/// `malformed_json`, 413, or 422 `validation_failed` naming each field. DTOs
/// derive `Deserialize` with `deny_unknown_fields` and `Validate` (which asks for
/// `Serialize` of what it measures; the value it would show is left out).
///
/// `Option<Body<T>>` is `None` for a request that has no body at all.
#[derive(Debug)]
pub struct Body<T> {
    /// The body.
    pub value: T,
    /// SHA-256 over the bytes as they came (for idempotency).
    pub digest: [u8; 32],
}

/// The digest of a request without a body (for idempotency).
pub fn empty_digest() -> [u8; 32] {
    Sha256::digest([]).into()
}

impl<T: DeserializeOwned + Validate> Body<T> {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let Some(value) = object::<T>(bytes) else {
            return Err(faults::of::<T>(bytes));
        };
        if let Err(broken) = T::validate(&value) {
            return Err(Problem::validation(rules::explain(&broken)));
        }
        Ok(Self {
            value,
            digest: Sha256::digest(bytes).into(),
        })
    }
}

/// Serde would read a struct from an array as well; a body is an object.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(unsupported_media_type());
        }
        Self::parse(&whole(request, state).await?)
    }
}

impl<T: DeserializeOwned + Validate, S: Send + Sync> OptionalFromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if has_body(request.headers()) {
            let body = <Self as FromRequest<S>>::from_request(request, state).await;
            return body.map(Some);
        }
        Ok(None)
    }
}

/// A request that asks for nothing more than its address says. What came as a
/// body all the same is not looked at, but it is bounded (413), and it counts as
/// part of the request: its digest tells one request under a key from another.
#[derive(Debug)]
pub struct NoBody {
    /// SHA-256 over what came; [`empty_digest`] as a rule.
    pub digest: [u8; 32],
}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let digest = Sha256::digest(whole(request, state).await?).into();
        Ok(Self { digest })
    }
}

/// The bytes of a body, as far as they may go.
async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let bytes = Bytes::from_request(request, state).await;
    bytes.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            faults::malformed("The body ended before it was whole.")
        }
    })
}

/// Over HTTP/2 a body needs neither length nor encoding, but it has a type.
fn has_body(headers: &HeaderMap) -> bool {
    match headers.get(CONTENT_LENGTH) {
        Some(length) => length.as_bytes() != b"0",
        None => headers.contains_key(TRANSFER_ENCODING) || headers.contains_key(CONTENT_TYPE),
    }
}

/// `application/json`, or a format that builds on it (`…+json`).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(kind)) = headers.get(CONTENT_TYPE).map(|kind| kind.to_str()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let Some((family, format)) = essence.split_once('/') else {
        return false;
    };
    let format = format.to_ascii_lowercase();
    family.eq_ignore_ascii_case("application") && (format == "json" || format.ends_with("+json"))
}

#[cfg(test)]
mod tests;
