//! `Prefer: wait=N` (RFC 7240): how long a client is willing to wait.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Longer than this nobody waits.
const LONGEST: u64 = 30;

/// The wait that the request prefers, up to 30 s; none where it says nothing
/// that can be understood, as the RFC asks.
pub fn prefer_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .find_map(wait)
}

/// The seconds of one preference, `wait=10` or `wait="10"`, its parameters aside.
fn wait(preference: &str) -> Option<Duration> {
    let preference = preference.split(';').next()?;
    let (name, value) = preference.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    #[test]
    fn a_wait_is_understood_or_ignored() {
        let given = |value: &str| prefer_wait(&parts("/", &[("prefer", value)]).headers);
        for value in [
            "wait=10",
            "respond-async, Wait = \"10\"; x=y",
            "wait=10, wait=3",
        ] {
            assert_eq!(given(value), Some(Duration::from_secs(10)), "{value}");
        }
        assert_eq!(given("wait=3600"), Some(Duration::from_secs(30)));
        for value in ["", "wait", "wait=-1", "wait=soon", "awaits=3"] {
            assert_eq!(given(value), None, "{value}");
        }
    }
}
