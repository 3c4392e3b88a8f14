//! What one handler has in hand in this process: events from all its parts, one
//! of a key at a time, and the stream through which it gets them.

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::Subject;
use cleave_messaging::{Delivery, KeyedQueue, Queued, Settle, Taken};
use cleave_vocabulary::{Clock, Envelope, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::standing::Connected;
use crate::streams::Made;

/// Where an event stands: the stream, by its place among the subscription's and the
/// time at which it was made, and its number there. The same event read twice stands at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) stream: usize,
    pub(crate) made: Made,
    pub(crate) sequence: u64,
}

/// Where the broker expects an answer, and over which connection: one that has
/// died in between may not remember what it asked, and would take an answer for
/// more than it is.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) subject: Subject,
    pub(crate) connected: Connected,
}

/// What the broker is to be told, and where.
pub(crate) enum Word {
    /// Settled.
    Ack(Answer),
    /// Nothing to be made of it.
    Term(Answer),
    /// Answers once all before it has been said.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// The events of one subscription.
pub(crate) struct Desk {
    pub(crate) types: Vec<String>,
    inner: Mutex<Inner>,
    wake: Notify,
    room: usize,
    clock: Arc<dyn Clock>,
    words: mpsc::UnboundedSender<Word>,
    /// Ends the stream and the readers.
    pub(crate) stop: CancellationToken,
    /// The readers.
    pub(crate) readers: TaskTracker,
}

#[derive(Default)]
struct Inner {
    events: KeyedQueue<Place>,
    /// Where to answer for each event that is not settled: the broker's latest word counts.
    held: HashMap<Place, Answer>,
    /// Handed over, and neither settled nor put back.
    out: usize,
}

impl Desk {
    pub(crate) fn new(
        types: Vec<String>,
        room: usize,
        clock: Arc<dyn Clock>,
        words: mpsc::UnboundedSender<Word>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            types,
            inner: Mutex::default(),
            wake: Notify::new(),
            room,
            clock,
            words,
            stop,
            readers: TaskTracker::new(),
        }
    }

    /// Whether an event that came again is in hand; if so, answers go to where
    /// the broker now expects them.
    pub(crate) fn holds(&self, place: Place, answer: &Answer) -> bool {
        let mut inner = self.inner.lock();
        let held = inner.held.get_mut(&place);
        held.is_some_and(|held| {
            *held = answer.clone();
            true
        })
    }

    /// An event that is not in hand arrived.
    pub(crate) fn add(&self, place: Place, answer: Answer, envelope: Envelope) {
        let ready = {
            let mut inner = self.inner.lock();
            inner.held.insert(place, answer);
            inner.events.push(Queued {
                envelope: Arc::new(envelope),
                attempt: 1,
                token: place,
            })
        };
        if ready {
            self.wake.notify_one();
        }
    }

    pub(crate) fn say(&self, word: Word) {
        // Nobody listens only once the bus is gone; then the broker asks again.
        let _ = self.words.send(word);
    }

    fn settle(&self, event: Queued<Place>, how: Settle) {
        let answer = {
            let mut inner = self.inner.lock();
            inner.out -= 1;
            if let Settle::Later(wait) = how {
                let again = Queued {
                    attempt: event.attempt.saturating_add(1),
                    ..event
                };
                inner.events.put_back(again, self.clock.now().plus(wait));
                None
            } else {
                inner.events.done(&event.envelope.subject);
                inner.held.remove(&event.token)
            }
        };
        // Whatever became of it, there may be something to hand over: there is room.
        self.wake.notify_one();
        match (how, answer) {
            (Settle::Ack, Some(answer)) => self.say(Word::Ack(answer)),
            (Settle::GiveUp, Some(answer)) => self.say(Word::Term(answer)),
            _ => {}
        }
    }

    fn take(&self) -> Taken<Place> {
        let mut inner = self.inner.lock();
        if inner.out >= self.room {
            return Taken::Nothing;
        }
        let taken = inner.events.take(self.clock.now());
        inner.out += usize::from(matches!(taken, Taken::Event(_)));
        taken
    }
}

/// The reading end; whoever drops it gives back what it reads from.
pub(crate) struct Feed(pub(crate) Arc<Desk>);

impl Feed {
    /// The next delivery, as soon as there is one; none once the bus is closed.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        let desk = &self.0;
        loop {
            if desk.stop.is_cancelled() {
                return None;
            }
            let due = match desk.take() {
                Taken::Event(event) => return Some(self.delivery(event)),
                Taken::Nothing => None,
                Taken::Until(due) => Some(due),
            };
            tokio::select! {
                () = desk.stop.cancelled() => return None,
                () = desk.wake.notified() => {}
                () = desk.clock.sleep_until(due.unwrap_or(Timestamp::EPOCH)), if due.is_some() => {}
            }
        }
    }

    fn delivery(&self, event: Queued<Place>) -> Delivery {
        let desk = self.0.clone();
        Delivery::new(event.envelope.clone(), event.attempt, move |how| {
            desk.settle(event, how);
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}
