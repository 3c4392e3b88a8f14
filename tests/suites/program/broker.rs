//! Brokers that can't be used: the start ends with the setting and the fix, and
//! without the password.

use cleave_tests::broker::Broker;
use cleave_tests::program::run;

use super::{folder, refused};

const SECRET: &str = "a-password-that-nobody-sees";

/// `cleave serve` over this broker, which has to end with these parts in its message.
fn serve(url: &str, environment: &[(&str, &str)], parts: &[&str]) {
    let here = folder();
    let bus = [
        ("CLEAVE__BUS__KIND", "nats"),
        ("CLEAVE__BUS__NATS__URL", url),
    ];
    let environment = [&bus, environment].concat();
    let words = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    let ended = run(here.path(), &words, &environment);
    refused(&ended, 1, parts);
    for said in [&ended.out, &ended.err] {
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn nobody_answers() {
    let url = format!("nats://ann:{SECRET}@127.0.0.1:1");
    serve(&url, &[], &["127.0.0.1:1", "bus.nats.url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_wrong() {
    let lines = "jetstream { store_dir: \"STORE\" }\n\
        authorization { user: ann, password: another }";
    let broker = Broker::start_with(lines).await;
    let named = ["bus.nats.user", "bus.nats.password"];
    let set = [
        ("CLEAVE__BUS__NATS__USER", "ann"),
        ("CLEAVE__BUS__NATS__PASSWORD", SECRET),
    ];
    serve(&broker.url(), &set, &named);
    let in_url = broker.url().replace("//", &format!("//ann:{SECRET}@"));
    serve(&in_url, &[], &named);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_nothing() {
    let broker = Broker::start_with("").await;
    serve(&broker.url(), &[], &["JetStream", "bus.nats.url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_may_not() {
    let lines = format!(
        "jetstream {{ store_dir: \"STORE\" }}\n\
         authorization {{ users: [{{ user: ann, password: {SECRET}, \
         permissions: {{ publish: {{ deny: \"cleave.>\" }} }} }}] }}"
    );
    let broker = Broker::start_with(&lines).await;
    let set = [
        ("CLEAVE__BUS__NATS__USER", "ann"),
        ("CLEAVE__BUS__NATS__PASSWORD", SECRET),
    ];
    serve(
        &broker.url(),
        &set,
        &["publish to", "cleave.>", "bus.nats.user"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_one_too_many() {
    let lines = "jetstream { store_dir: \"STORE\" }\n\
        accounts { SHOP { jetstream: { max_streams: 2 }, users: [{ user: a, password: b }] } }\n\
        no_auth_user: a";
    let broker = Broker::start_with(lines).await;
    serve(&broker.url(), &[], &["stream cleave-", "limits"]);
}
