//! What the program makes at the broker, and what it finds there.

use std::sync::Arc;
use std::time::Duration;

use cleave_messaging::conformance::Sample;
use cleave_messaging::{EventBus, Settle, Subscription};
use cleave_nats::{NatsError, NatsOptions};
use cleave_tests::broker::Broker;
use futures::StreamExt;

use super::{in_one_part, open, options, try_open};

pub(super) fn wanted(sample: &Sample) -> Subscription {
    Subscription {
        consumer: sample.name("handler"),
        types: vec![sample.name("thing")],
    }
}

/// Makes a stream, and a consumer that has handled an event.
pub(super) async fn made(options: &NatsOptions, sample: &Sample) {
    let bus = open(options.clone()).await;
    let mut stream = bus.subscribe(wanted(sample)).await.expect("subscribes");
    send(&bus, sample, "a").await;
    stream.next().await.expect("an event").settle(Settle::Ack);
    bus.close().await;
}

pub(super) async fn send(bus: &Arc<dyn EventBus>, sample: &Sample, subject: &str) {
    let event = sample.event(&sample.name("thing"), subject);
    let receipt = bus.publish(event).await.expect("published");
    receipt.await.expect("stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_published_twice_is_there_once() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(options(&broker)).await;
    bus.announce(&[wanted(&sample)]).await.expect("announced");
    let event = sample.event(&sample.name("thing"), "a");
    // By this process, and by another one that took over from it.
    let other = open(options(&broker)).await;
    for bus in [&bus, &bus, &other] {
        let receipt = bus.publish(event.clone()).await.expect("handed over");
        receipt.await.expect("known, and so settled");
    }
    assert_eq!(bus.backlog(&wanted(&sample)).await.expect("told"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_broker_can_not_take_is_told_with_its_size() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(options(&broker)).await;
    let mut event = (*sample.event(&sample.name("thing"), "a")).clone();
    let text = format!("{:?}", "x".repeat(2 << 20));
    event.data = serde_json::value::RawValue::from_string(text).expect("JSON");
    let id = event.id.to_string();
    let refused = bus.publish(Arc::new(event)).await.err().expect("refused");
    let told = refused.to_string();
    assert!(told.contains(&id) && told.contains("max_payload"), "{told}");
    send(&bus, &sample, "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_of_no_handler_are_told_with_what_waits_for_them() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let one = in_one_part(&broker);
    let bus = open(one).await;
    let gone = Subscription {
        consumer: sample.name("gone"),
        ..wanted(&sample)
    };
    for subscription in [&wanted(&sample), &gone] {
        bus.announce(std::slice::from_ref(subscription))
            .await
            .expect("announced");
    }
    send(&bus, &sample, "a").await;
    let known = [wanted(&sample), gone.clone()];
    assert_eq!(bus.left_behind(&known).await.expect("told"), []);
    let left = bus.left_behind(&known[..1]).await.expect("told");
    let [left] = &left[..] else {
        panic!("one is left: {left:?}");
    };
    let base = format!("{}-0-", gone.consumer.replace('.', "-"));
    assert!(left.consumer.starts_with(&base), "{left:?}");
    assert_eq!(left.waiting, 1);
    let remedy = format!("nats consumer rm cleave-conformance {}", left.consumer);
    assert_eq!(left.remedy, remedy);
}

/// Each who begins to read makes a consumer that follows the last, and deletes that.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_starts_while_others_take_a_consumer_from_each_other() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let one = in_one_part(&broker);
    made(&one, &sample).await;
    let (starting, wanted) = (open(one.clone()).await, [wanted(&sample)]);
    let taking = async {
        for _ in 0..50 {
            made(&one, &sample).await;
        }
    };
    tokio::pin!(taking);
    loop {
        tokio::select! {
            () = &mut taking => break,
            announced = starting.announce(&wanted) => announced.expect("announced"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_while_nobody_listened_comes_first() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    made(&options(&broker), &sample).await;
    let bus = open(options(&broker)).await;
    send(&bus, &sample, "a").await;
    assert_eq!(bus.backlog(&wanted(&sample)).await.expect("told"), 1);
    let mut stream = bus.subscribe(wanted(&sample)).await.expect("subscribes");
    stream.next().await.expect("an event").settle(Settle::Ack);
    let none = async {
        while bus.backlog(&wanted(&sample)).await.expect("told") > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), none).await;
    waited.expect("nothing is left");
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_refuses_and_takes_again_when_there_is_room() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let small = NatsOptions {
        max_events: 20,
        ..options(&broker)
    };
    let bus = open(small).await;
    let mut stream = bus.subscribe(wanted(&sample)).await.expect("subscribes");
    let mut stored = 0;
    let refused = loop {
        let event = sample.event(&sample.name("thing"), "a");
        let receipt = bus.publish(event.clone()).await.expect("handed over");
        match receipt.await {
            Ok(()) => stored += 1,
            Err(_) => break event,
        }
        assert!(stored <= 20, "it is never full");
    };
    assert_eq!(stored, 20);
    for _ in 0..stored {
        stream.next().await.expect("an event").settle(Settle::Ack);
    }
    let again = async {
        loop {
            let receipt = bus.publish(refused.clone()).await.expect("handed over");
            if receipt.await.is_ok() {
                break;
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), again).await;
    waited.expect("there is room again");
    let last = stream.next().await.expect("an event");
    assert_eq!(last.envelope.id, refused.id);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_in_other_partitions_are_refused() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    made(&options(&broker), &sample).await;
    let other = NatsOptions {
        partitions: 8,
        ..options(&broker)
    };
    let bus = open(other).await;
    let refused = bus.subscribe(wanted(&sample)).await.err().expect("refused");
    let told = refused.to_string();
    assert!(told.contains("bus.nats.partitions"), "{told}");
    assert!(told.contains("4 partitions"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_by_bytes_needs_a_broker_that_keeps_to_it() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let small = NatsOptions {
        max_bytes: 4096,
        ..options(&broker)
    };
    let bus = match try_open(small).await {
        Ok(bus) => bus,
        Err(refused) => {
            assert!(matches!(refused, NatsError::Dropping { .. }), "{refused}");
            return;
        }
    };
    let _stream = bus.subscribe(wanted(&sample)).await.expect("subscribes");
    let mut stored = 0;
    loop {
        let event = sample.event(&sample.name("thing"), "a");
        let receipt = bus.publish(event).await.expect("handed over");
        if receipt.await.is_err() {
            break;
        }
        stored += 1;
        assert!(stored < 100, "it is never full");
    }
    let waiting = bus.backlog(&wanted(&sample)).await.expect("told");
    assert_eq!(waiting, stored, "all that was taken is there");
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_none_keeps_no_replicas() {
    let broker = Broker::start().await;
    let three = NatsOptions {
        replicas: 3,
        ..options(&broker)
    };
    let refused = try_open(three).await.err().expect("refused");
    assert!(matches!(refused, NatsError::Replicas { .. }), "{refused}");
    assert!(
        refused.to_string().contains("bus.nats.replicas"),
        "{refused}"
    );
}
