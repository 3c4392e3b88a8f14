//! What every answer tells a browser: to guess nothing, frame nothing, run
//! nothing, and keep nothing that has no entity tag.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

const NO_CONTENT: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// May be kept by the client itself, and is asked for again with its tag.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Adds them; what a handler said itself about content and caching stays.
pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in &ALWAYS {
        headers.insert(name, value.clone());
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, NO_CONTENT);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        let tagged = headers.contains_key(ETAG);
        headers.insert(CACHE_CONTROL, if tagged { REVALIDATE } else { NO_STORE });
    }
}
