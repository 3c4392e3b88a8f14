//! What exists at the broker and is not as the settings want it: brought up to
//! date field by field, or refused where it is somebody else's.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use cleave_messaging::conformance::Sample;
use cleave_messaging::{Settle, Subscription};
use cleave_nats::{NatsError, NatsOptions};
use cleave_tests::broker::Broker;
use futures::StreamExt;

use super::streams::{made, send, wanted};
use super::{in_one_part, open, options, try_open};

/// As the broker's own tools look at it.
async fn look(broker: &Broker) -> Context {
    let client = async_nats::connect(broker.url()).await;
    jetstream::new(client.expect("connected"))
}

async fn config(at: &Context, stream: &str) -> Config {
    let stream = at.get_stream(stream).await.expect("there is one");
    stream.cached_info().config.clone()
}

/// What somebody does by hand.
type Change = fn(&mut Config);

const STREAM: &str = "cleave-conformance";
const BUCKET: &str = "KV_cleave-leases";

#[tokio::test(flavor = "multi_thread")]
async fn each_field_is_brought_up_to_date() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    made(&options(&broker), &sample).await;
    let other = NatsOptions {
        max_events: 1000,
        max_age: Some(Duration::from_hours(1)),
        dedup_window: Duration::from_mins(1),
        lease: Duration::from_secs(2),
        ..options(&broker)
    };
    let bus = open(other).await;
    bus.announce(&[wanted(&sample)]).await.expect("announced");
    let at = look(&broker).await;
    let has = config(&at, STREAM).await;
    assert_eq!(has.max_messages, 1000);
    assert_eq!(has.max_age, Duration::from_hours(1));
    assert_eq!(has.duplicate_window, Duration::from_mins(1));
    assert_eq!(config(&at, BUCKET).await.max_age, Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_by_hand_is_changed_back() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    made(&options(&broker), &sample).await;
    let at = look(&broker).await;
    let right = config(&at, STREAM).await;
    let by_hand: [(&str, Change); 6] = [
        ("no_ack", |it| it.no_ack = true),
        ("max_msgs", |it| it.max_messages = 5),
        ("max_msg_size", |it| it.max_message_size = 9),
        ("discard", |it| {
            it.discard = jetstream::stream::DiscardPolicy::Old;
        }),
        ("allow_rollup", |it| it.allow_rollup = true),
        ("subjects", |it| it.subjects.push("elsewhere.>".to_owned())),
    ];
    for (name, change) in by_hand {
        let mut changed = right.clone();
        change(&mut changed);
        at.update_stream(&changed).await.expect("changed by hand");
        let bus = open(options(&broker)).await;
        bus.announce(&[wanted(&sample)]).await.expect("announced");
        assert_eq!(config(&at, STREAM).await, right, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_somebody_else_is_left_alone() {
    let right = Config {
        name: STREAM.to_owned(),
        subjects: vec!["cleave.conformance.*.*".to_owned()],
        retention: RetentionPolicy::Interest,
        ..Config::default()
    };
    let in_memory = Config {
        storage: StorageType::Memory,
        ..right.clone()
    };
    for (theirs, part) in [(right, "mark"), (in_memory, "storage")] {
        let (broker, sample) = (Broker::start().await, Sample::default());
        let at = look(&broker).await;
        at.create_stream(&theirs).await.expect("made by hand");
        let before = config(&at, STREAM).await;
        let bus = open(options(&broker)).await;
        let refused = bus.announce(&[wanted(&sample)]).await.expect_err("refused");
        let told = refused.to_string();
        for part in [part, STREAM, "bus.nats.prefix"] {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(config(&at, STREAM).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_somebody_else_is_left_alone() {
    let broker = Broker::start().await;
    let at = look(&broker).await;
    let theirs = Config {
        name: BUCKET.to_owned(),
        subjects: vec!["$KV.cleave-leases.>".to_owned()],
        max_messages_per_subject: 1,
        ..Config::default()
    };
    at.create_stream(&theirs).await.expect("made by hand");
    let refused = try_open(options(&broker)).await.err().expect("refused");
    assert!(matches!(refused, NatsError::Foreign { .. }), "{refused}");
    assert!(refused.to_string().contains("bus.nats.prefix"), "{refused}");
}

/// The consumers of the stream: name, filter, what they may have in hand.
async fn consumers(at: &Context) -> Vec<(String, String, i64, Duration)> {
    let stream = at.get_stream(STREAM).await.expect("there is one");
    let infos: Vec<_> = stream.consumers().collect().await;
    let of = |info: jetstream::consumer::Info| {
        let config = info.config;
        let filter = config.filter_subject;
        (info.name, filter, config.max_ack_pending, config.ack_wait)
    };
    let mut all: Vec<_> = infos
        .into_iter()
        .map(|info| of(info.expect("told")))
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_with_other_settings_is_followed_by_one_that_is_up_to_date() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let bus = open(in_one_part(&broker)).await;
    bus.announce(&[wanted(&sample)]).await.expect("announced");
    bus.announce(&[wanted(&sample)]).await.expect("nothing new");
    let at = look(&broker).await;
    assert_eq!(consumers(&at).await.len(), 1, "what fits stays");
    let other = NatsOptions {
        ack_wait: Duration::from_secs(7),
        max_in_flight: 5,
        ..in_one_part(&broker)
    };
    let bus = open(other).await;
    bus.announce(&[wanted(&sample)]).await.expect("announced");
    let all = consumers(&at).await;
    let generation = |name: &str| {
        let last = name.rsplit('-').next().and_then(|last| last.parse().ok());
        last.unwrap_or_else(|| panic!("{name} has no generation"))
    };
    let (first, next): (u64, u64) = (generation(&all[0].0), generation(&all[1].0));
    assert_eq!(next, first + 1, "{all:?}");
    assert_eq!((all[1].2, all[1].3), (5, Duration::from_secs(7)));
    let mut stream = bus.subscribe(wanted(&sample)).await.expect("subscribes");
    for number in 0..12 {
        send(&bus, &sample, &format!("subject-{number}")).await;
    }
    let mut in_hand = Vec::new();
    while in_hand.len() < 5 {
        in_hand.push(stream.next().await.expect("an event"));
    }
    let more = tokio::time::timeout(Duration::from_millis(150), stream.next()).await;
    assert!(more.is_err(), "five in hand, and no more");
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_wants_more_from_now_on_misses_nothing() {
    let (broker, sample) = (Broker::start().await, Sample::default());
    let other = sample.name("other");
    let bus = open(in_one_part(&broker)).await;
    bus.announce(&[wanted(&sample)]).await.expect("announced");
    send(&bus, &sample, "a").await;
    bus.close().await;

    let wider = Subscription {
        types: vec![sample.name("thing"), other.clone()],
        ..wanted(&sample)
    };
    let bus = open(in_one_part(&broker)).await;
    bus.announce(std::slice::from_ref(&wider))
        .await
        .expect("announced");
    // Published before anybody reads, as a relay does that is up first.
    let event = sample.event(&other, "b");
    let receipt = bus.publish(event.clone()).await.expect("handed over");
    receipt.await.expect("stored");
    assert_eq!(bus.backlog(&wider).await.expect("told"), 2);
    let mut stream = bus.subscribe(wider).await.expect("subscribes");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let delivery = stream.next().await.expect("an event");
        seen.push(delivery.envelope.subject.clone());
        delivery.settle(Settle::Ack);
    }
    seen.sort();
    assert_eq!(seen, ["a", "b"]);
    bus.close().await;
}
