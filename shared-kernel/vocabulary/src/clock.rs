//! Time as an argument. [`SystemClock`] is the only place that asks the
//! machine; a [`ManualClock`] moves when a test says so, and wakes whoever
//! sleeps until then.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: microseconds since 1970 in UTC. Text and JSON show RFC 3339
/// with milliseconds; databases keep the integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS: i64 = 1_000_000;

impl Timestamp {
    /// Before every moment a clock will tell; a cursor's natural start.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, as JSON Web Tokens count.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// This moment and `span` more; stays at the end of time rather than wrap.
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment less `span`.
    pub fn minus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero where it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 with milliseconds, digit by digit, because every event has some;
    /// nothing outside the years that it has four digits for.
    fn text(self) -> Option<[u8; 24]> {
        let at = OffsetDateTime::from_unix_timestamp(self.as_seconds()).ok()?;
        let year = u32::try_from(at.year())
            .ok()
            .filter(|year| *year < 10_000)?;
        let millis = self.0.rem_euclid(MICROS) / 1000;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (number, place) in [
            (i64::from(year), 0..4),
            (i64::from(u8::from(at.month())), 5..7),
            (i64::from(at.day()), 8..10),
            (i64::from(at.hour()), 11..13),
            (i64::from(at.minute()), 14..16),
            (i64::from(at.second()), 17..19),
            (millis, 20..23),
        ] {
            let mut rest = number;
            for digit in text[place].iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        Some(text)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text().ok_or(fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        let text = text
            .as_ref()
            .and_then(|text| std::str::from_utf8(text).ok());
        serializer.serialize_str(text.ok_or_else(|| serde::ser::Error::custom("no such year"))?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        i64::try_from(at.unix_timestamp_nanos() / 1000)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples([serde_json::json!("2026-01-02T03:04:05.678Z")])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {
    fn name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
}

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Returns once `now` is `at` or later.
    async fn sleep_until(&self, at: Timestamp);

    /// Returns after `span`.
    async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now().plus(span)).await;
    }
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine"
    )]
    fn now(&self) -> Timestamp {
        // Three times as fast as by way of a calendar, and asked for every call.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::EPOCH.plus(since.unwrap_or_default())
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The timer wheel may wake a little early by this clock: look again.
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

/// A clock that stands still until a test moves it.
#[derive(Clone)]
pub struct ManualClock(Arc<Hands>);

struct Hands {
    now: Mutex<Timestamp>,
    moved: tokio::sync::watch::Sender<()>,
}

impl ManualClock {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(Hands {
            now: Mutex::new(at),
            moved: tokio::sync::watch::Sender::new(()),
        }))
    }

    /// Moves it on, and wakes those whose time has come.
    pub fn advance(&self, span: Duration) {
        {
            let mut now = self.0.now.lock();
            *now = now.plus(span);
        }
        self.0.moved.send_replace(());
    }
}

impl Default for ManualClock {
    /// 2026-01-02T03:04:05.678Z, the moment of the API's examples.
    fn default() -> Self {
        Self::at(Timestamp::from_micros(1_767_323_045_678_000))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.now.lock()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut moved = self.0.moved.subscribe();
        while self.now() < at {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_rfc_3339_with_milliseconds() {
        let at = ManualClock::default().now();
        assert_eq!(at.to_string(), "2026-01-02T03:04:05.678Z");
        let back: Timestamp = serde_json::from_str("\"2026-01-02T03:04:05.678Z\"").expect("time");
        assert_eq!(back, at);
        let offset: Timestamp =
            serde_json::from_str("\"2026-01-02T05:04:05.678+02:00\"").expect("time");
        assert_eq!(offset, at);
    }

    #[test]
    fn text_holds_from_year_zero_to_year_9999() {
        let text = |micros| Timestamp::from_micros(micros).text();
        let of = |seconds: i64, micros| text(seconds * MICROS + micros);
        assert_eq!(text(0).as_ref(), Some(b"1970-01-01T00:00:00.000Z"));
        assert_eq!(text(-1).as_ref(), Some(b"1969-12-31T23:59:59.999Z"));
        let leap_day = of(1_709_251_199, 999_999);
        assert_eq!(leap_day.as_ref(), Some(b"2024-02-29T23:59:59.999Z"));
        let first = of(-62_167_219_200, 0);
        assert_eq!(first.as_ref(), Some(b"0000-01-01T00:00:00.000Z"));
        assert_eq!(of(-62_167_219_201, 0), None);
        let last = of(253_402_300_799, 999_000);
        assert_eq!(last.as_ref(), Some(b"9999-12-31T23:59:59.999Z"));
        assert_eq!(of(253_402_300_800, 0), None);
        assert_eq!(text(i64::MIN), None);
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test waits for the task")]
    async fn a_sleeper_wakes_when_the_hands_pass() {
        let clock = ManualClock::default();
        let sleeper = {
            let clock = clock.clone();
            let until = clock.now().plus(Duration::from_secs(60));
            tokio::spawn(async move { clock.sleep_until(until).await })
        };
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.expect("woken");
    }
}
