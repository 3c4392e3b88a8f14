//! Hands what a commit wrote into the outbox to the relay in memory, so that it
//! need not be read and parsed again. A shortcut and no more: it holds so many
//! events and no others, and by their numbers the relay sees whether any is
//! missing, which it then finds in the outbox.

use std::collections::VecDeque;
use std::sync::Arc;

use cleave_store::{Following, Store};
use cleave_vocabulary::Envelope;
use parking_lot::Mutex;

use crate::OUTBOX;

/// What a unit appended: the number of the first event, and all of them.
pub(crate) struct Appended {
    pub(crate) first: i64,
    pub(crate) events: Vec<Arc<Envelope>>,
}

/// An event with its number.
pub(crate) type Numbered = (i64, Arc<Envelope>);

/// What is known of the events behind a number.
pub(crate) enum Behind {
    /// The next ones.
    Events(Vec<Numbered>),
    /// There are none.
    Nothing,
    /// The outbox knows.
    Unknown,
}

/// The events that were committed since, and that nobody has taken yet.
pub(crate) struct HandOver {
    waiting: Arc<Mutex<Waiting>>,
    _following: Following,
}

struct Waiting {
    events: VecDeque<Numbered>,
    bound: usize,
    /// The number of the last event that was told; none before the first.
    last: Option<i64>,
}

impl HandOver {
    /// Of what is committed to `store` from now on, up to `bound` events at a time.
    pub(crate) fn of(store: &Store, bound: usize) -> Self {
        let waiting = Arc::new(Mutex::new(Waiting::new(bound)));
        let heard = waiting.clone();
        let following = store.follow(OUTBOX, move |appended: Appended| {
            heard.lock().push(appended);
        });
        Self {
            waiting,
            _following: following,
        }
    }

    /// Takes up to `limit` events that come next behind `after`.
    pub(crate) fn behind(&self, after: i64, limit: u64) -> Behind {
        self.waiting.lock().behind(after, limit)
    }
}

impl Waiting {
    fn new(bound: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bound,
            last: None,
        }
    }

    fn push(&mut self, appended: Appended) {
        if self.events.len() + appended.events.len() > self.bound {
            self.events.clear();
        }
        let numbered = (appended.first..).zip(appended.events);
        for (seq, event) in numbered {
            self.last = Some(seq);
            if self.events.len() < self.bound {
                self.events.push_back((seq, event));
            }
        }
    }

    fn behind(&mut self, after: i64, limit: u64) -> Behind {
        while self.events.front().is_some_and(|(seq, _)| *seq <= after) {
            self.events.pop_front();
        }
        if self.events.is_empty() {
            let seen_all = self.last.is_some_and(|last| last <= after);
            return if seen_all {
                Behind::Nothing
            } else {
                Behind::Unknown
            };
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let consecutive = self.events.iter().zip(after + 1..).take(limit);
        let next = consecutive.take_while(|((seq, _), expected)| seq == expected);
        match next.count() {
            0 => Behind::Unknown,
            some => Behind::Events(self.events.drain(..some).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{CallContext, Event, EventSource, ManualClock, SequentialIds};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Rung;

    impl Event for Rung {
        const TYPE: &'static str = "bell.rung";

        fn subject(&self) -> String {
            "bell".to_owned()
        }
    }

    fn appended(first: i64, count: usize) -> Appended {
        let (clock, ids) = (ManualClock::default(), SequentialIds::default());
        let source = EventSource::new("/contexts/bell", Arc::new(clock), Arc::new(ids));
        let call = CallContext::of("c-1".parse().expect("an id"));
        let event = Arc::new(source.event(&call, &Rung));
        Appended {
            first,
            events: vec![event; count],
        }
    }

    fn waiting(bound: usize, told: &[(i64, usize)]) -> Waiting {
        let mut waiting = Waiting::new(bound);
        for (first, count) in told {
            waiting.push(appended(*first, *count));
        }
        waiting
    }

    /// The numbers of the events; none where the outbox has to be asked.
    fn numbers(behind: Behind) -> Option<Vec<i64>> {
        match behind {
            Behind::Events(events) => Some(events.into_iter().map(|(seq, _)| seq).collect()),
            Behind::Nothing => Some(Vec::new()),
            Behind::Unknown => None,
        }
    }

    #[test]
    fn what_follows_is_taken_once_and_in_order() {
        let mut waiting = waiting(10, &[(4, 2), (6, 1)]);
        assert_eq!(numbers(waiting.behind(3, 2)), Some(vec![4, 5]));
        assert_eq!(numbers(waiting.behind(5, 2)), Some(vec![6]));
        assert_eq!(numbers(waiting.behind(6, 2)), Some(vec![]));
    }

    #[test]
    fn before_the_first_word_nothing_is_known() {
        assert_eq!(numbers(waiting(10, &[]).behind(3, 2)), None);
    }

    #[test]
    fn what_was_found_in_the_outbox_is_not_taken_again() {
        let mut waiting = waiting(10, &[(4, 3)]);
        assert_eq!(numbers(waiting.behind(5, 9)), Some(vec![6]));
    }

    #[test]
    fn a_gap_is_seen() {
        let mut waiting = waiting(10, &[(4, 1), (6, 1)]);
        assert_eq!(numbers(waiting.behind(2, 9)), None);
        assert_eq!(numbers(waiting.behind(3, 9)), Some(vec![4]));
        assert_eq!(numbers(waiting.behind(4, 9)), None);
        assert_eq!(numbers(waiting.behind(5, 9)), Some(vec![6]));
    }

    #[test]
    fn what_is_too_much_is_left_to_the_outbox() {
        let mut waiting = waiting(2, &[(1, 2), (3, 1)]);
        assert_eq!(numbers(waiting.behind(0, 9)), None);
        assert_eq!(numbers(waiting.behind(2, 9)), Some(vec![3]));
        waiting.push(appended(4, 3));
        assert_eq!(numbers(waiting.behind(3, 9)), Some(vec![4, 5]));
        assert_eq!(
            numbers(waiting.behind(5, 9)),
            None,
            "the sixth is in the outbox"
        );
    }
}
