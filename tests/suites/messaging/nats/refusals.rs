//! A broker that can't be used stops the start, with the setting and the fix,
//! and without a password.

use std::path::PathBuf;

use cleave_nats::NatsOptions;
use cleave_tests::broker::Broker;

use super::try_open;

const CLOSED: &str = "jetstream { store_dir: \"STORE\" }\n\
    authorization { user: \"cleave\", password: \"the right one\" }";

async fn refused(options: NatsOptions) -> String {
    let told = try_open(options).await.err().expect("refused").to_string();
    assert!(!told.contains("wrong one"), "{told}");
    told
}

#[tokio::test]
async fn nobody_is_there() {
    let nobody = NatsOptions {
        url: Some("nats://ann:wrong%20one@127.0.0.1:1".to_owned()),
        ..NatsOptions::default()
    };
    let told = refused(nobody).await;
    assert!(told.contains("127.0.0.1:1"), "{told}");
    assert!(told.contains("bus.nats.url"), "{told}");
}

#[tokio::test]
async fn the_password_is_wrong_or_missing() {
    let broker = Broker::start_with(CLOSED).await;
    let open = NatsOptions {
        url: Some(broker.url()),
        ..NatsOptions::default()
    };
    let with = |password: &str| NatsOptions {
        user: Some("cleave".to_owned()),
        password: Some(password.to_owned()),
        ..open.clone()
    };
    for options in [open.clone(), with("the wrong one")] {
        let told = refused(options).await;
        assert!(told.contains("bus.nats.user"), "{told}");
    }
    try_open(with("the right one")).await.expect("opens");
}

#[tokio::test]
async fn what_the_url_says_opens_too() {
    let broker = Broker::start_with(CLOSED).await;
    let with = |login: &str| NatsOptions {
        url: Some(broker.url().replace("nats://", &format!("nats://{login}@"))),
        ..NatsOptions::default()
    };
    try_open(with("cleave:the%20right%20one"))
        .await
        .expect("opens");
    let told = refused(with("cleave:the%20wrong%20one")).await;
    assert!(told.contains("refuses these credentials"), "{told}");
    let other = NatsOptions {
        user: Some("cleave".to_owned()),
        password: Some("the right one".to_owned()),
        ..with("cleave:the%20wrong%20one")
    };
    let told = refused(other).await;
    assert!(told.contains("bus.nats.url has a user"), "{told}");
}

#[tokio::test]
async fn a_token_opens_too() {
    let lines = "jetstream { store_dir: \"STORE\" }\nauthorization { token: \"t0ken\" }";
    let broker = Broker::start_with(lines).await;
    let with = |token: &str| NatsOptions {
        url: Some(broker.url()),
        token: Some(token.to_owned()),
        ..NatsOptions::default()
    };
    let told = refused(with("the wrong one")).await;
    assert!(told.contains("bus.nats.token"), "{told}");
    try_open(with("t0ken")).await.expect("opens");
}

#[tokio::test]
async fn it_keeps_nothing() {
    let broker = Broker::start_with("").await;
    let without = NatsOptions {
        url: Some(broker.url()),
        ..NatsOptions::default()
    };
    let told = refused(without).await;
    assert!(told.contains("JetStream"), "{told}");
    assert!(told.contains("bus.nats.url"), "{told}");
}

#[tokio::test]
async fn it_does_not_encrypt() {
    let broker = Broker::start().await;
    let mut options = NatsOptions {
        url: Some(broker.url()),
        ..NatsOptions::default()
    };
    options.tls.required = true;
    let told = refused(options).await;
    assert!(told.contains("bus.nats.tls"), "{told}");
}

#[tokio::test]
async fn a_file_is_missing() {
    let missing = PathBuf::from("/nowhere/at/all");
    let url = Some("nats://127.0.0.1:1".to_owned());
    let mut by_file = NatsOptions {
        url: url.clone(),
        credentials_file: Some(missing.clone()),
        ..NatsOptions::default()
    };
    let told = refused(by_file.clone()).await;
    assert!(told.contains("bus.nats.credentials_file"), "{told}");
    by_file.credentials_file = None;
    by_file.tls.ca_file = Some(missing);
    let told = refused(by_file).await;
    assert!(told.contains("bus.nats.tls.ca_file"), "{told}");
}
