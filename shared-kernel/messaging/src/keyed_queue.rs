//! A queue that hands out one event of a subject at a time. The next event of
//! that subject comes out when the one before it is done with, however often it
//! was put back in between, so that no redelivery lets a later event overtake;
//! events of other subjects flow. It neither waits nor bounds itself: that is
//! the part of the adapter that holds it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use cleave_vocabulary::{Envelope, Timestamp};

/// An event in the queue, with what the adapter needs to settle it.
pub struct Queued<T> {
    /// The event.
    pub envelope: Arc<Envelope>,
    /// 1 until it was put back once.
    pub attempt: u32,
    /// The adapter's own.
    pub token: T,
}

/// What the queue has to give.
pub enum Taken<T> {
    /// An event; its subject is held back until [`KeyedQueue::done`].
    Event(Queued<T>),
    /// Nothing before this time, unless something is added.
    Until(Timestamp),
    /// Nothing.
    Nothing,
}

/// The queue of one consumer.
pub struct KeyedQueue<T> {
    /// Events that nothing holds back.
    ready: VecDeque<Queued<T>>,
    /// Subjects with an event that is ready, taken or put back for later, and
    /// the events that wait behind it.
    held: HashMap<Subject, VecDeque<Queued<T>>>,
    /// Events put back, by the time they are due and the order they came in.
    later: BTreeMap<(Timestamp, u64), Queued<T>>,
    put_back: u64,
}

impl<T> Default for KeyedQueue<T> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            held: HashMap::new(),
            later: BTreeMap::new(),
            put_back: 0,
        }
    }
}

impl<T> KeyedQueue<T> {
    /// Adds an event behind those of its subject; whether it is ready now.
    pub fn push(&mut self, event: Queued<T>) -> bool {
        if let Some(behind) = self.held.get_mut(event.envelope.subject.as_str()) {
            behind.push_back(event);
            return false;
        }
        self.hold(&event.envelope);
        self.ready.push_back(event);
        true
    }

    /// Takes the next event that is ready or due at `now`.
    pub fn take(&mut self, now: Timestamp) -> Taken<T> {
        while let Some(due) = self.later.first_entry().filter(|due| due.key().0 <= now) {
            self.ready.push_back(due.remove());
        }
        match (self.ready.pop_front(), self.later.first_key_value()) {
            (Some(event), _) => Taken::Event(event),
            (None, Some(((at, _), _))) => Taken::Until(*at),
            (None, None) => Taken::Nothing,
        }
    }

    /// An event that was taken is done with; whether another is ready for it.
    pub fn done(&mut self, subject: &str) -> bool {
        let Some(behind) = self.held.get_mut(subject) else {
            return false;
        };
        if let Some(next) = behind.pop_front() {
            self.ready.push_back(next);
            return true;
        }
        self.held.remove(subject);
        false
    }

    /// Puts back an event that was taken, to be taken again from `at` on.
    pub fn put_back(&mut self, event: Queued<T>, at: Timestamp) {
        self.put_back += 1;
        self.later.insert((at, self.put_back), event);
    }

    /// Empties it.
    pub fn clear(&mut self) -> impl Iterator<Item = Queued<T>> + use<T> {
        let old = std::mem::take(self);
        let behind = old.held.into_values().flatten();
        old.ready
            .into_iter()
            .chain(old.later.into_values())
            .chain(behind)
    }

    fn hold(&mut self, envelope: &Arc<Envelope>) {
        self.held.insert(Subject(envelope.clone()), VecDeque::new());
    }
}

/// The subject of an event as a key, without a copy of its text.
struct Subject(Arc<Envelope>);

impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0.subject
    }
}

impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.subject.hash(state);
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.0.subject == other.0.subject
    }
}

impl Eq for Subject {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conformance::Sample;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn queue(subjects: &[&str]) -> KeyedQueue<usize> {
        let samples = Sample::default();
        let mut queue = KeyedQueue::default();
        for (token, subject) in subjects.iter().enumerate() {
            queue.push(Queued {
                envelope: samples.event("test.happened", subject),
                attempt: 1,
                token,
            });
        }
        queue
    }

    fn take(queue: &mut KeyedQueue<usize>, now: Timestamp) -> Option<Queued<usize>> {
        match queue.take(now) {
            Taken::Event(event) => Some(event),
            Taken::Until(_) | Taken::Nothing => None,
        }
    }

    fn tokens(queue: &mut KeyedQueue<usize>) -> Vec<usize> {
        std::iter::from_fn(|| take(queue, NOW))
            .map(|event| event.token)
            .collect()
    }

    #[test]
    fn one_event_of_a_subject_is_out_at_a_time() {
        let mut queue = queue(&["a", "a", "b"]);
        assert_eq!(tokens(&mut queue), [0, 2]);
        assert!(queue.done("a"));
        assert_eq!(tokens(&mut queue), [1]);
        assert!(!queue.done("a"));
        assert!(!queue.done("b"));
        assert!(queue.held.is_empty());
    }

    #[test]
    fn an_event_put_back_holds_its_subject_until_it_is_due() {
        let mut queue = queue(&["a", "a", "b"]);
        let due = NOW.plus(Duration::from_secs(1));
        let first = take(&mut queue, NOW).expect("the first");
        queue.put_back(first, due);
        assert_eq!(tokens(&mut queue), [2]);
        assert!(matches!(queue.take(NOW), Taken::Until(at) if at == due));
        assert_eq!(take(&mut queue, due).expect("due").token, 0);
        assert!(take(&mut queue, due).is_none());
    }

    #[test]
    fn clearing_gives_back_every_event() {
        let mut queue = queue(&["a", "a", "b", "c"]);
        let first = take(&mut queue, NOW).expect("the first");
        queue.put_back(first, NOW);
        assert_eq!(queue.clear().count(), 4);
        assert!(matches!(queue.take(NOW), Taken::Nothing));
    }
}
