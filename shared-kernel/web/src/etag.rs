//! Optimistic concurrency: `ETag`, `If-Match`, `If-None-Match` (RFC 9110).
//! Tags are strong and say the version of the resource. A context whose answer
//! shows more than the version counts may add that behind a dash: `"7-93"`.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Problem;

/// The version of a resource, as its entity tag `"7"` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub i64);

impl Version {
    /// The entity tag.
    pub(crate) fn tag(self) -> HeaderValue {
        // Digits and quotes are always a header's value.
        HeaderValue::from_str(&format!("\"{}\"", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
    }
}

/// `If-Match`, demanded: 428 `precondition_required` without it. What a tag says
/// behind the version (`"7-93"`) is not compared. A tag that is no version of
/// ours, or `*`, is handled as RFC 9110 says.
#[derive(Debug, Clone)]
pub struct IfMatch {
    versions: Option<Vec<i64>>,
}

impl IfMatch {
    /// 412 `version_conflict` unless the current version is among those given.
    pub fn check(&self, current: Version) -> Result<(), Problem> {
        let fits = |versions: &Vec<i64>| versions.contains(&current.0);
        if self.versions.as_ref().is_none_or(fits) {
            return Ok(());
        }
        Err(Problem::version_conflict())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(IF_MATCH) {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Send `If-Match` with the `ETag` of the resource that you mean to change.",
            ));
        }
        let tags: Vec<&str> = tags(&parts.headers, &IF_MATCH).collect();
        if tags.contains(&"*") {
            return Ok(Self { versions: None });
        }
        // Comparison is strong: a weak tag matches nothing.
        let versions = tags.iter().filter_map(|tag| {
            let text = tag.strip_prefix('"')?.strip_suffix('"')?;
            let digits = text.split_once('-').map_or(text, |(digits, _)| digits);
            digits.parse().ok()
        });
        Ok(Self {
            versions: Some(versions.collect()),
        })
    }
}

/// The members of a list of tags. None of our tags holds a comma, so a foreign
/// tag that does is cut, and matches nothing, as it would whole.
fn tags<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

/// A single resource as JSON with its `ETag`; 304 where the request's
/// `If-None-Match` names it (a layer of the gateway compares).
pub struct Tagged<T>(pub Version, pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(self.1).into_response();
        response.headers_mut().insert(ETAG, self.0.tag());
        response
    }
}

/// A resource that counts no versions, as JSON with a tag made of what it shows.
pub struct Weighed<T>(pub T);

impl<T: Serialize> IntoResponse for Weighed<T> {
    fn into_response(self) -> Response {
        // Views are plain data: what can't be JSON is a defect, and shows as no body.
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let digest = &Sha256::digest(&body)[..12];
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest));
        ([(CONTENT_TYPE, "application/json"), (ETAG, &tag)], body).into_response()
    }
}

/// Middleware: answers a GET or HEAD whose `If-None-Match` names the entity tag
/// of the answer (compared weakly) with 304 and no body.
pub async fn conditional(request: Request, next: Next) -> Response {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    if !asks || !request.headers().contains_key(IF_NONE_MATCH) {
        return next.run(request).await;
    }
    let known: Vec<String> = tags(request.headers(), &IF_NONE_MATCH)
        .map(|tag| tag.trim_start_matches("W/").to_owned())
        .collect();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK && names(&known, response.headers()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

fn names(known: &[String], headers: &HeaderMap) -> bool {
    let Some(Ok(tag)) = headers.get(ETAG).map(HeaderValue::to_str) else {
        return false;
    };
    let tag = tag.trim_start_matches("W/");
    known.iter().any(|known| known == "*" || known == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    async fn given(value: &str) -> Result<IfMatch, Problem> {
        let mut parts = parts("/", &[("if-match", value)]);
        IfMatch::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_change_needs_the_version_that_it_changes() {
        let mut none = parts("/", &[]);
        let missing = IfMatch::from_request_parts(&mut none, &()).await;
        assert_eq!(missing.expect_err("demanded").code, "precondition_required");
        for fits in ["\"7\"", "*", "\"3\", \"7\"", "\"7-93\""] {
            let given = given(fits).await.expect("read");
            assert!(given.check(Version(7)).is_ok(), "{fits}");
        }
        for stale in ["\"6\"", "\"6-7\"", "\"-7\"", "W/\"7\"", "7", "\"x\"", ""] {
            let given = given(stale).await.expect("read");
            let refused = given.check(Version(7)).expect_err(stale);
            assert_eq!(refused.code, "version_conflict");
        }
    }
}
