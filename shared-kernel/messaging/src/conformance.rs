//! What every adapter of [`EventBus`] must do, as functions that a test calls
//! with the adapter. They assume neither that delivery is instant nor that the
//! bus starts empty: each uses names of its own and waits for what it expects.
//! What an adapter promises beyond the trait has functions that [`run`] leaves
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cleave_vocabulary::{CorrelationId, Envelope, EventId, IdSource, Timestamp, UuidV7Ids};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::value::RawValue;

use crate::{BusError, Delivery, EventBus, Settle, Subscription};

/// Until something that must happen has to have happened.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until something that must not happen is taken not to.
const QUIET: Duration = Duration::from_millis(150);
/// A redelivery's wait that outlasts [`QUIET`] by far.
const LATER: Duration = Duration::from_secs(1);

type Bus = Arc<dyn EventBus>;
type Deliveries = BoxStream<'static, Delivery>;

/// Runs the whole suite over adapters that `make` makes, each of which hands one
/// consumer at most `unsettled` deliveries before it settles some.
pub async fn run(make: impl AsyncFn() -> Bus, unsettled: usize) {
    reaches_each_consumer_once(make().await).await;
    hands_over_one_event_of_a_subject_at_a_time(make().await).await;
    keeps_the_order_of_each_subject_across_redelivery(make().await).await;
    delivers_again_later(make().await).await;
    delivers_again_what_was_dropped(make().await).await;
    does_not_deliver_again_what_was_given_up(make().await).await;
    publishes_to_nobody(make().await).await;
    bounds_what_is_unsettled(make().await, unsettled).await;
    refuses_a_second_consumer_of_one_name(make().await).await;
    goes_on_where_a_consumer_stood(make().await).await;
    ends_streams_when_closed(make().await).await;
}

/// Events for tests, under names that no other test uses.
pub struct Sample {
    tag: String,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            tag: UuidV7Ids.uuid().simple().to_string(),
        }
    }
}

impl Sample {
    /// `name` as a type of events, or as a consumer, that this sample has alone.
    pub fn name(&self, name: &str) -> String {
        format!("conformance.{name}_{}", self.tag)
    }

    /// An event of a type and about a subject, with an id of its own.
    pub fn event(&self, kind: &str, subject: &str) -> Arc<Envelope> {
        let correlation: CorrelationId = self.tag.parse().expect("hexadecimal digits");
        Arc::new(Envelope {
            specversion: "1.0".into(),
            id: EventId::from_uuid(UuidV7Ids.uuid()),
            source: "/contexts/conformance".into(),
            kind: kind.to_owned().into(),
            subject: subject.to_owned(),
            time: Timestamp::EPOCH,
            datacontenttype: "application/json".into(),
            dataschema: format!("urn:cleave:event:{kind}:v1").into(),
            correlationid: correlation,
            causationid: None,
            traceparent: None,
            data: RawValue::NULL.to_owned(),
        })
    }

    fn thing(&self, subject: &str) -> Arc<Envelope> {
        self.event(&self.name("thing"), subject)
    }

    async fn subscribe(&self, bus: &Bus, consumer: &str) -> Deliveries {
        let subscription = self.subscription(consumer, "thing");
        bus.subscribe(subscription).await.expect("subscribes")
    }

    fn subscription(&self, consumer: &str, kind: &str) -> Subscription {
        Subscription {
            consumer: self.name(consumer),
            types: vec![self.name(kind)],
        }
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

async fn next(stream: &mut Deliveries) -> Delivery {
    let delivery = soon("a delivery", stream.next()).await;
    delivery.expect("the stream goes on")
}

async fn quiet(stream: &mut Deliveries) {
    let early = tokio::time::timeout(QUIET, stream.next()).await;
    assert!(early.is_err(), "nothing was due to be delivered");
}

async fn publish(bus: &Bus, event: &Arc<Envelope>) -> crate::Receipt {
    let published = soon("publishing", bus.publish(event.clone())).await;
    published.expect("published")
}

async fn send(bus: &Bus, event: &Arc<Envelope>) {
    drop(publish(bus, event).await);
}

/// Every consumer of a type gets every event of it, once; others get none.
pub async fn reaches_each_consumer_once(bus: Bus) {
    let sample = Sample::default();
    let mut first = sample.subscribe(&bus, "first").await;
    let mut second = sample.subscribe(&bus, "second").await;
    let other = sample.subscription("other", "other");
    let mut other = bus.subscribe(other).await.expect("subscribes");
    let events: Vec<_> = (0..10)
        .map(|number| sample.thing(&format!("subject-{number}")))
        .collect();
    let mut receipts = Vec::new();
    for event in &events {
        receipts.push(publish(&bus, event).await);
    }
    for stream in [&mut first, &mut second] {
        let mut seen = BTreeSet::new();
        while seen.len() < events.len() {
            let delivery = next(stream).await;
            assert_eq!(delivery.attempt, 1);
            assert!(seen.insert(delivery.envelope.id), "delivered twice");
            delivery.settle(Settle::Ack);
        }
        assert!(events.iter().all(|event| seen.contains(&event.id)));
        quiet(stream).await;
    }
    quiet(&mut other).await;
    for receipt in receipts {
        soon("the receipt", receipt).await.expect("settled");
    }
}

/// The next event of a subject comes when the one before it is settled; other
/// subjects do not wait for it.
pub async fn hands_over_one_event_of_a_subject_at_a_time(bus: Bus) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "one").await;
    let (first, second, other) = (sample.thing("a"), sample.thing("a"), sample.thing("b"));
    for event in [&first, &second, &other] {
        send(&bus, event).await;
    }
    let held = next(&mut stream).await;
    assert_eq!(held.envelope.id, first.id);
    let beside = next(&mut stream).await;
    assert_eq!(beside.envelope.id, other.id);
    quiet(&mut stream).await;
    held.settle(Settle::Ack);
    let behind = next(&mut stream).await;
    assert_eq!(behind.envelope.id, second.id);
    behind.settle(Settle::Ack);
    beside.settle(Settle::Ack);
}

/// Whatever is dropped or comes later, each subject's events are acknowledged in
/// the order in which they were published, by a consumer that works on many at once.
pub async fn keeps_the_order_of_each_subject_across_redelivery(bus: Bus) {
    const SUBJECTS: usize = 5;
    const EVENTS: usize = 60;
    const BESIDE: Duration = Duration::from_millis(5);
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "ordered").await;
    let mut published: BTreeMap<String, Vec<EventId>> = BTreeMap::new();
    for number in 0..EVENTS {
        let event = sample.thing(&format!("subject-{}", number % SUBJECTS));
        let of_subject = published.entry(event.subject.clone()).or_default();
        of_subject.push(event.id);
        send(&bus, &event).await;
    }
    let mut acknowledged: BTreeMap<String, Vec<EventId>> = BTreeMap::new();
    let (mut turn, mut left) = (0, EVENTS);
    while left > 0 {
        let mut in_hand = vec![next(&mut stream).await];
        while let Ok(Some(beside)) = tokio::time::timeout(BESIDE, stream.next()).await {
            in_hand.push(beside);
        }
        // What came last is settled first, and some of it comes again.
        for delivery in in_hand.into_iter().rev() {
            turn += 1;
            match (turn % 4, delivery.attempt) {
                (0, 1) => delivery.settle(Settle::Later(BESIDE * 4)),
                (1, 1) => drop(delivery),
                _ => {
                    let envelope = delivery.envelope.clone();
                    let of_subject = acknowledged.entry(envelope.subject.clone()).or_default();
                    of_subject.push(envelope.id);
                    delivery.settle(Settle::Ack);
                    left -= 1;
                }
            }
        }
    }
    assert_eq!(acknowledged, published);
}

/// `Later` delivers again after the wait, as the next attempt.
pub async fn delivers_again_later(bus: Bus) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "later").await;
    let event = sample.thing("a");
    let receipt = publish(&bus, &event).await;
    next(&mut stream).await.settle(Settle::Later(LATER));
    quiet(&mut stream).await;
    let again = next(&mut stream).await;
    assert_eq!((again.envelope.id, again.attempt), (event.id, 2));
    again.settle(Settle::Ack);
    quiet(&mut stream).await;
    soon("the receipt", receipt).await.expect("settled");
}

/// A delivery that is dropped comes again.
pub async fn delivers_again_what_was_dropped(bus: Bus) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "dropper").await;
    let event = sample.thing("a");
    send(&bus, &event).await;
    drop(next(&mut stream).await);
    let again = next(&mut stream).await;
    assert_eq!(again.envelope.id, event.id);
    assert!(again.attempt > 1);
    again.settle(Settle::Ack);
    quiet(&mut stream).await;
}

/// What a consumer gives up does not come again, and holds nothing back.
pub async fn does_not_deliver_again_what_was_given_up(bus: Bus) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "quitter").await;
    let (hopeless, next_one) = (sample.thing("a"), sample.thing("a"));
    let receipt = publish(&bus, &hopeless).await;
    send(&bus, &next_one).await;
    next(&mut stream).await.settle(Settle::GiveUp);
    let delivery = next(&mut stream).await;
    assert_eq!(delivery.envelope.id, next_one.id);
    delivery.settle(Settle::Ack);
    quiet(&mut stream).await;
    soon("the receipt", receipt).await.expect("settled");
}

/// An event that nobody wants is taken all the same.
pub async fn publishes_to_nobody(bus: Bus) {
    let sample = Sample::default();
    let receipt = publish(&bus, &sample.thing("a")).await;
    soon("the receipt", receipt).await.expect("taken");
}

/// A consumer that settles nothing is handed no more than `unsettled`, and all
/// of the rest once it settles.
pub async fn bounds_what_is_unsettled(bus: Bus, unsettled: usize) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "slow").await;
    let total = unsettled * 2 + 1;
    let events: Vec<_> = (0..total)
        .map(|number| sample.thing(&format!("subject-{number}")))
        .collect();
    let publisher = async {
        for event in &events {
            send(&bus, event).await;
        }
    };
    let consumer = async {
        let mut in_hand = vec![next(&mut stream).await];
        while let Ok(delivery) = tokio::time::timeout(QUIET, stream.next()).await {
            in_hand.push(delivery.expect("the stream goes on"));
            assert!(in_hand.len() <= unsettled, "more than the bound");
        }
        let mut settled = 0;
        for delivery in in_hand {
            delivery.settle(Settle::Ack);
            settled += 1;
        }
        while settled < total {
            next(&mut stream).await.settle(Settle::Ack);
            settled += 1;
        }
    };
    tokio::join!(publisher, consumer);
}

/// One name is one queue: a second consumer that wants other events under it is refused.
pub async fn refuses_a_second_consumer_of_one_name(bus: Bus) {
    let sample = Sample::default();
    let _first = sample.subscribe(&bus, "same").await;
    let second = bus.subscribe(sample.subscription("same", "other")).await;
    assert!(matches!(second, Err(BusError::Taken(name)) if name == sample.name("same")));
}

/// Who subscribes again gets what was published in between and what the stream
/// before left unsettled, in order. What was settled at the last moment may come
/// before it once more.
pub async fn goes_on_where_a_consumer_stood(bus: Bus) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "back").await;
    let (first, second, third) = (sample.thing("a"), sample.thing("a"), sample.thing("a"));
    send(&bus, &first).await;
    send(&bus, &second).await;
    next(&mut stream).await.settle(Settle::Ack);
    let unsettled = next(&mut stream).await;
    drop(stream);
    drop(unsettled);
    send(&bus, &third).await;
    let mut stream = sample.subscribe(&bus, "back").await;
    for event in [&second, &third] {
        let mut delivery = next(&mut stream).await;
        if delivery.envelope.id == first.id {
            delivery.settle(Settle::Ack);
            delivery = next(&mut stream).await;
        }
        assert_eq!(delivery.envelope.id, event.id);
        delivery.settle(Settle::Ack);
    }
    quiet(&mut stream).await;
}

/// Closing ends every stream; nothing is published after it.
pub async fn ends_streams_when_closed(bus: Bus) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "last").await;
    bus.close().await;
    let end = soon("the end of the stream", stream.next()).await;
    assert!(end.is_none());
    let published = bus.publish(sample.thing("a")).await;
    assert!(matches!(published, Err(BusError::Closed)));
    let subscribed = bus.subscribe(sample.subscription("late", "thing")).await;
    assert!(matches!(subscribed, Err(BusError::Closed)));
}

/// Beyond the trait, where a receipt means handled: it resolves when the last
/// consumer has settled, and not before.
pub async fn receipts_wait_for_every_consumer(bus: Bus) {
    let sample = Sample::default();
    let mut first = sample.subscribe(&bus, "first").await;
    let mut second = sample.subscribe(&bus, "second").await;
    let mut receipt = publish(&bus, &sample.thing("a")).await;
    next(&mut first).await.settle(Settle::Ack);
    let early = tokio::time::timeout(QUIET, &mut receipt).await;
    assert!(early.is_err(), "the second consumer has not settled");
    next(&mut second).await.settle(Settle::GiveUp);
    soon("the receipt", receipt).await.expect("settled");
}

/// Beyond the trait, where queues are in memory: publishing waits while a queue
/// is full, and a receipt fails when the bus closes over it.
pub async fn publishing_waits_for_room(bus: Bus, room: usize) {
    let sample = Sample::default();
    let mut stream = sample.subscribe(&bus, "full").await;
    let mut receipts = Vec::new();
    for number in 0..room {
        let event = sample.thing(&format!("subject-{number}"));
        receipts.push(publish(&bus, &event).await);
    }
    let mut waiting = bus.publish(sample.thing("late"));
    let early = tokio::time::timeout(QUIET, &mut waiting).await;
    assert!(early.is_err(), "the queue is full");
    next(&mut stream).await.settle(Settle::Ack);
    let late = soon("publishing", waiting).await.expect("there is room");
    bus.close().await;
    let lost = soon("the receipt", late).await;
    assert!(matches!(lost, Err(BusError::Closed)));
}
