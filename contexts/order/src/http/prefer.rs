//! `Prefer: wait=N` (RFC 7240): the client would rather wait up to N seconds
//! for the outcome than ask again. A preference that can't be read is ignored,
//! as the RFC has it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How many seconds the client would wait; nothing, where it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PreferWait(pub(super) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for PreferWait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(wait(&parts.headers)))
    }
}

/// The first `wait`: of a preference that is given twice, the first counts.
fn wait(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(PREFER).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        // What follows a semicolon are parameters of the preference.
        .filter_map(|preference| preference.split(';').next())
        .filter_map(|preference| preference.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok())
}

impl PreferWait {
    /// How long to wait, at most `longest`.
    pub(super) fn at_most(self, longest: Duration) -> Option<Duration> {
        let wanted = Duration::from_secs(self.0?);
        Some(wanted.min(longest))
    }
}

/// Says that the client's preference was honoured, for so long.
pub(super) fn applied(response: &mut Response, wait: Duration) {
    if let Ok(value) = HeaderValue::from_str(&format!("wait={}", wait.as_secs())) {
        response.headers_mut().insert(PREFERENCE_APPLIED, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lines: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, HeaderValue::from_static(line));
        }
        wait(&headers)
    }

    #[test]
    fn the_wait_is_found_among_other_preferences() {
        assert_eq!(given(&["wait=10"]), Some(10));
        assert_eq!(given(&["respond-async, Wait = \"5\"; foo=bar"]), Some(5));
        assert_eq!(given(&["return=minimal", "wait=0"]), Some(0));
        assert_eq!(given(&["wait=3, wait=9"]), Some(3));
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for line in ["", "wait", "wait=", "wait=soon", "wait=-1", "await=3"] {
            assert_eq!(given(&[line]), None, "{line}");
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_longest() {
        let longest = Duration::from_secs(30);
        assert_eq!(PreferWait(Some(100)).at_most(longest), Some(longest));
        assert_eq!(PreferWait(None).at_most(longest), None);
    }
}
