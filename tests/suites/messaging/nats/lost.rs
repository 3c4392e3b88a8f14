//! A stream that is lost with what it kept, and another in its place.

use std::sync::Arc;
use std::time::Duration;

use cleave_messaging::conformance::Sample;
use cleave_messaging::{Delivery, EventBus, Settle, Subscription};
use cleave_tests::broker::Broker;
use cleave_vocabulary::{Envelope, EventId};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::{FAMILY, in_one_part, open, options, relay};

const PATIENCE: Duration = Duration::from_secs(20);

fn wanted(sample: &Sample, handler: &str) -> Subscription {
    Subscription {
        consumer: sample.name(handler),
        types: vec![sample.name("thing")],
    }
}

/// Publishes until the broker has stored it.
async fn send(bus: &Arc<dyn EventBus>, event: &Arc<Envelope>) {
    let stored = async {
        loop {
            let receipt = bus.publish(event.clone()).await;
            if receipt.expect("published").await.is_ok() {
                break;
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, stored).await;
    waited.expect("stored");
}

async fn next(deliveries: &mut BoxStream<'static, Delivery>) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, deliveries.next()).await;
    next.expect("an event comes").expect("it goes on")
}

/// Waits for the broker as who publishes does: it looks first, as a relay.
async fn is_back(bus: &Arc<dyn EventBus>) {
    let look = async {
        while bus.incarnation(FAMILY).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, look).await;
    looked.expect("it is back");
}

async fn lose(broker: &Broker) {
    let jetstream = broker.by_hand().await;
    let lost = jetstream.delete_stream("cleave-conformance").await;
    lost.expect("it was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_to_a_new_stream_waits_for_handlers_of_other_processes() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(options(&broker)).await;
    let all = ["one", "another"].map(|handler| wanted(&sample, handler));
    bus.announce(&all).await.expect("announced");
    let before = bus.incarnation(FAMILY).await.expect("told");
    lose(&broker).await;
    let event = sample.event(&sample.name("thing"), "a");
    send(&bus, &event).await;
    for handler in &all {
        let waiting = bus.backlog(handler).await.expect("told");
        assert_eq!(waiting, 1, "{handler:?}");
    }
    let after = bus.incarnation(FAMILY).await.expect("told");
    assert!(before.is_some() && after.is_some() && before != after);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_starts_while_streams_are_replaced() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let all = ["one", "another"].map(|handler| wanted(&sample, handler));
    let jetstream = broker.by_hand().await;
    let replacing = tokio::task::spawn(async move {
        loop {
            // It may not be there at the moment.
            let _ = jetstream.delete_stream("cleave-conformance").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    for _ in 0..30 {
        let bus = open(options(&broker)).await;
        bus.announce(&all).await.expect("announced");
        bus.close().await;
    }
    assert!(!replacing.is_finished());
    replacing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_lost_event_is_refused_until_its_publisher_begins_again() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(options(&broker)).await;
    bus.announce(&[wanted(&sample, "handler")])
        .await
        .expect("announced");
    let event = || sample.event(&sample.name("thing"), "a");
    let (before, after) = (event(), event());
    send(&bus, &before).await;
    lose(&broker).await;
    // Somebody else finds out first.
    bus.incarnation(FAMILY).await.expect("another is made");
    let early = bus.publish(after.clone()).await.expect("handed over");
    early.await.expect_err("what came before it is not there");
    send(&bus, &after).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_hand_is_not_taken_for_one_of_the_same_number_in_a_new_stream() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(options(&broker)).await;
    let handler = wanted(&sample, "handler");
    let mut deliveries = bus.subscribe(handler.clone()).await.expect("subscribes");
    let event = |subject: &str| sample.event(&sample.name("thing"), subject);
    let (old, new) = (event("a"), event("b"));
    send(&bus, &old).await;
    let in_hand = next(&mut deliveries).await;
    assert_eq!(in_hand.envelope.id, old.id);
    lose(&broker).await;
    send(&bus, &new).await;
    let came: EventId = {
        let delivery = next(&mut deliveries).await;
        let id = delivery.envelope.id;
        // The answer for the old one is none for the new.
        in_hand.settle(Settle::Ack);
        let waiting = bus.backlog(&handler).await.expect("told");
        assert_eq!(waiting, 1);
        delivery.settle(Settle::Ack);
        id
    };
    assert_eq!(came, new.id);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_has_lost_everything_is_read_again() {
    let (mut broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(options(&broker)).await;
    let handler = wanted(&sample, "handler");
    let mut deliveries = bus.subscribe(handler).await.expect("subscribes");
    let event = |subject: &str| sample.event(&sample.name("thing"), subject);
    let (old, new) = (event("a"), event("b"));
    send(&bus, &old).await;
    next(&mut deliveries).await.settle(Settle::Ack);
    broker.start_empty().await;
    is_back(&bus).await;
    send(&bus, &new).await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.envelope.id, new.id);
    delivery.settle(Settle::Ack);
    bus.close().await;
}

/// Servers from 2.9.7 to 2.9.15, when they start, drop what one handler has not had,
/// where it has settled nothing since it began to read and another is ahead of it.
/// Seven times of eight where its name comes first, so that some starts make sure.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_drops_when_it_starts_comes_again_and_in_its_order() {
    let (mut broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(in_one_part(&broker)).await;
    let [behind, ahead] = ["lagging", "prompt"].map(|handler| wanted(&sample, handler));
    let both = [ahead.clone(), behind.clone()];
    bus.announce(&both).await.expect("announced");
    let known = bus.incarnation(FAMILY).await.expect("told");
    let mut deliveries = bus.subscribe(ahead).await.expect("subscribes");
    let mut events = Vec::new();
    for _ in 0..4 {
        for subject in ["a", "b", "a"] {
            let event = sample.event(&sample.name("thing"), subject);
            send(&bus, &event).await;
            loop {
                let delivery = next(&mut deliveries).await;
                let id = delivery.envelope.id;
                delivery.settle(Settle::Ack);
                if id == event.id {
                    break;
                }
            }
            events.push(event);
        }
        // Nothing tells when the broker has written down what was settled: some 100 ms later.
        tokio::time::sleep(Duration::from_millis(250)).await;
        broker.start_again().await;
        is_back(&bus).await;
    }
    let mut deliveries = bus.subscribe(behind).await.expect("subscribes");
    let mut came: Vec<EventId> = Vec::new();
    let reading = async {
        while came.len() < events.len() {
            let delivery = next(&mut deliveries).await;
            if !came.contains(&delivery.envelope.id) {
                came.push(delivery.envelope.id);
            }
            delivery.settle(Settle::Ack);
        }
    };
    tokio::select! {
        never = relay(&bus, &events, known, events.len()) => match never {},
        () = reading => {}
    }
    for subject in ["a", "b"] {
        let of = events.iter().filter(|event| event.subject == subject);
        let sent: Vec<EventId> = of.map(|event| event.id).collect();
        let told = came.iter().filter(|id| sent.contains(id)).copied();
        assert_eq!(told.collect::<Vec<_>>(), sent, "{subject}");
    }
    bus.close().await;
}
