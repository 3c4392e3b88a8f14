//! Limits of the broker's that are in the way: each refusal names what it is
//! about, and the setting that lets it pass.

use cleave_messaging::conformance::Sample;
use cleave_nats::{NatsError, NatsOptions};
use cleave_tests::broker::Broker;

use super::streams::wanted;
use super::{open, options, try_open};

/// A broker whose only account may use so much of JetStream.
async fn limited(limits: &str) -> Broker {
    let lines = format!(
        "jetstream {{ store_dir: \"STORE\" }}\n\
         accounts {{ SHOP {{ jetstream: {{ {limits} }}, users: [{{ user: a, password: b }}] }} }}\n\
         no_auth_user: a"
    );
    Broker::start_with(&lines).await
}

/// What is said where the bus is opened, or else where a handler subscribes.
async fn told(options: NatsOptions) -> String {
    let sample = Sample::default();
    let bus = match try_open(options).await {
        Ok(bus) => bus,
        Err(refused) => return refused.to_string(),
    };
    let refused = bus.announce(&[wanted(&sample)]).await.expect_err("refused");
    refused.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_an_account_are_named_with_what_they_refuse() {
    for (limits, parts) in [
        ("max_streams: 2", &["limits", "cleave-conformance"][..]),
        (
            "max_consumers: 2",
            &["max_consumers", "bus.nats.partitions"],
        ),
        ("max_bytes_required: true", &["bus.nats.max_bytes"]),
        ("max_ack_pending: 10", &["bus.nats.max_in_flight"]),
    ] {
        let broker = limited(limits).await;
        let told = told(options(&broker)).await;
        for part in parts {
            assert!(told.contains(part), "{limits}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_server_are_named_too() {
    let lines = "jetstream { store_dir: \"STORE\", limits: { duplicate_window: 30s } }";
    let broker = Broker::start_with(lines).await;
    let told = told(options(&broker)).await;
    assert!(told.contains("bus.nats.dedup_window"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_that_another_stream_takes_are_named() {
    let broker = Broker::start().await;
    let client = async_nats::connect(broker.url()).await.expect("connected");
    let theirs = async_nats::jetstream::stream::Config {
        name: "theirs".to_owned(),
        subjects: vec!["cleave.>".to_owned()],
        ..Default::default()
    };
    let at = async_nats::jetstream::new(client);
    at.create_stream(theirs).await.expect("made by hand");
    let told = told(options(&broker)).await;
    assert!(told.contains("bus.nats.prefix"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_too_little_at_a_time_is_refused() {
    let lines = "jetstream { store_dir: \"STORE\" }\nmax_payload: 65536";
    let broker = Broker::start_with(lines).await;
    let refused = try_open(options(&broker)).await.err().expect("refused");
    assert!(
        matches!(refused, NatsError::SmallPayload { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("max_payload"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_is_told_which() {
    let user = |rights: &str| {
        format!(
            "jetstream {{ store_dir: \"STORE\" }}\n\
             authorization {{ users: [{{ user: a, password: b, permissions: {{ {rights} }} }}] }}"
        )
    };
    let all = ["$JS.API.>", "$JS.ACK.>", "cleave.>"];
    for denied in all {
        let lines = user(&format!("publish: {{ deny: {denied:?} }}"));
        let broker = Broker::start_with(&lines).await;
        let with = NatsOptions {
            user: Some("a".to_owned()),
            password: Some("b".to_owned()),
            ..options(&broker)
        };
        let refused = try_open(with).await.err().expect("refused");
        assert!(matches!(refused, NatsError::Denied { .. }), "{refused}");
        let prefix = denied.trim_end_matches('>');
        let told = refused.to_string();
        assert!(told.matches(prefix).count() > 1, "{denied}: {told}");
    }
    // Whoever may do what the message asks for may come in.
    let may = "publish: [\"$JS.API.>\", \"$JS.ACK.>\", \"$KV.cleave-leases.>\", \"$KV.cleave-owners.>\", \"cleave.>\"], \
               subscribe: \"_INBOX.>\"";
    let broker = Broker::start_with(&user(may)).await;
    let with = NatsOptions {
        user: Some("a".to_owned()),
        password: Some("b".to_owned()),
        ..options(&broker)
    };
    let bus = open(with).await;
    let sample = Sample::default();
    bus.announce(&[wanted(&sample)]).await.expect("announced");
}
