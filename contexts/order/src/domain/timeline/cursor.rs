//! A reader's place in the three sources of a timeline.

use std::fmt;
use std::str::FromStr;

/// How far each source has been read; `12-34-5` as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// In the order's own events. Each event tells two things, its status and
    /// itself, at the positions `2 × seq` and `2 × seq + 1`.
    pub(crate) own: i64,
    /// In the saga's log.
    pub(crate) log: i64,
    /// In the events observed.
    pub(crate) observed: i64,
}

impl Cursor {
    /// The sequence number behind which own events are still to be read: an
    /// event that is half told is read again.
    pub(crate) const fn own_seq(self) -> i64 {
        (self.own - 1).div_euclid(2)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.own, self.log, self.observed)
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "must be the id of an event of this stream";
        let place = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits)
        };
        let mut parts = text.split('-').map(place);
        let (own, log, observed) = (parts.next(), parts.next(), parts.next());
        match (own, log, observed, parts.next()) {
            (Some(Some(own)), Some(Some(log)), Some(Some(observed)), None) => {
                Ok(Self { own, log, observed })
            }
            _ => Err(EXPECTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_nothing_else_is_taken() {
        let cursor = Cursor {
            own: 12,
            log: 34,
            observed: 5,
        };
        assert_eq!(cursor.to_string(), "12-34-5");
        assert_eq!("12-34-5".parse(), Ok(cursor));
        for text in [
            "",
            "1",
            "1-2",
            "1-2-3-4",
            "1-2-",
            "1--2",
            "a-b-c",
            "-1-2-3",
            "+1-2-3",
            "1-2-99999999999999999999",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_event_that_is_half_told_is_read_again() {
        let at = |own| {
            Cursor {
                own,
                ..Cursor::default()
            }
            .own_seq()
        };
        assert_eq!(at(0), -1);
        // Of event 7, position 14 is its status and 15 itself.
        assert_eq!(at(14), 6);
        assert_eq!(at(15), 7);
    }
}
