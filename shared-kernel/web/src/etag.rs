//! Optimistic concurrency: `ETag`, `If-Match`, `If-None-Match` (RFC 9110).

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde::Serialize;

use crate::Problem;

/// The version of a resource, as its entity tag `"7"` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub i64);

/// `If-Match`, demanded: 428 `precondition_required` without it. A tag that is
/// no version of ours, or `*`, is handled as RFC 9110 says.
#[derive(Debug, Clone)]
pub struct IfMatch {
    versions: Option<Vec<i64>>,
}

impl IfMatch {
    /// 412 `version_conflict` unless the current version is among those given.
    pub fn check(&self, _current: Version) -> Result<(), Problem> {
        let _ = &self.versions;
        todo!()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// A single resource as JSON with its `ETag`; 304 where the request's
/// `If-None-Match` names it (a layer of the gateway compares).
pub struct Tagged<T>(pub Version, pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        todo!()
    }
}
