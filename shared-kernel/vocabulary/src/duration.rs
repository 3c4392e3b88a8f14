//! Spans of time as the settings write them: `500ms`, `2s`, `15m`, `24h`, `30d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Reads `500ms`, `2s`, `15m`, `24h` or `30d`.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(expected(text)),
    };
    let count: u64 = count.parse().map_err(|_| expected(text))?;
    count
        .checked_mul(scale)
        .map(Duration::from_millis)
        .ok_or_else(|| expected(text))
}

fn expected(text: &str) -> String {
    format!(
        "`{text}` is not a duration: write a whole number and its unit, as in 500ms, 2s, 15m, 24h or 30d"
    )
}

/// Writes a span in the largest unit that keeps it whole.
pub fn format(span: Duration) -> String {
    let millis = span.as_millis();
    for (unit, scale) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if millis != 0 && millis.is_multiple_of(scale) {
            return format!("{}{unit}", millis / scale);
        }
    }
    format!("{millis}ms")
}

/// For `#[serde(with = "duration")]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// For `#[serde(with = "duration")]`.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*span))
}

/// A span, or `never`: for `#[serde(with = "duration::or_never")]` on an `Option<Duration>`.
pub mod or_never {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    /// Reads a span, or `never` as `None`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(None);
        }
        super::parse(&text)
            .map(Some)
            .map_err(|error| serde::de::Error::custom(format!("{error}, or `never`")))
    }

    /// Writes a span, or `never`.
    pub fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serializer.serialize_str(&super::format(*span)),
            None => serializer.serialize_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_numbers_with_a_unit() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("15m"), Ok(Duration::from_secs(900)));
        for text in [
            "",
            "5",
            "s",
            "1.5s",
            "-1s",
            "5 s",
            "5S",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["500ms", "2s", "15m", "24h", "30d", "0ms", "1500ms"] {
            let span = parse(text).expect(text);
            assert_eq!(parse(&format(span)), Ok(span));
        }
        assert_eq!(format(Duration::from_secs(900)), "15m");
    }
}
