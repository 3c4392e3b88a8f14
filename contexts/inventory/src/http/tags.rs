//! Entity tags. A product shows what is available of it, and so its tag says
//! the version and that number: `"7-93"`. Whoever has read it gets a fresh copy
//! once either has changed. `If-Match` looks at the version alone, because a
//! change of name or price does not mind that stock moved meanwhile.

use axum::http::{HeaderValue, header::ETAG};
use axum::response::{IntoResponse, Response};
use cleave_web::Version;
use serde::Serialize;

/// A resource as JSON under its tag.
pub(super) struct Shown<T>(pub(super) HeaderValue, pub(super) T);

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        ([(ETAG, self.0)], axum::Json(self.1)).into_response()
    }
}

/// The tag of something that two numbers tell apart.
pub(super) fn tag(first: i64, second: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{first}-{second}\""))
        .expect("digits, a dash and quotes are a header's value")
}

/// The version as `If-Match` compares it.
pub(super) const fn version(version: i64) -> Version {
    Version(version)
}
