//! A context's events belong to one database, and a database's to one broker and
//! prefix: whoever would have it otherwise is refused, and told what to set.

use cleave::assembly::{StartError, World};
use cleave::service::Service;
use cleave::settings::{BusKind, DatabaseUrl, Settings};
use cleave::topology::CONTEXTS;
use cleave_tests::broker::Broker;
use cleave_tests::postgres;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A shop on SQLite whose events a broker carries.
fn shop(data: &TempDir, broker: &Broker) -> Settings {
    let mut settings = Settings {
        data_dir: data.path().to_owned(),
        ..Settings::default()
    };
    settings.http.listen = "127.0.0.1:0".parse().expect("an address");
    settings.bus.kind = BusKind::Nats;
    settings.bus.nats.url = Some(broker.url());
    settings
}

async fn start(settings: &Settings) -> Result<Service, StartError> {
    Box::pin(Service::start(settings, World::default(), false)).await
}

async fn starts(settings: &Settings) -> Service {
    start(settings).await.expect("starts")
}

async fn refused(settings: &Settings, parts: &[&str]) {
    let refused = start(settings).await.err().expect("refused").to_string();
    for part in parts {
        assert!(refused.contains(part), "`{part}` is not in: {refused}");
    }
}

const ORDER: [&str; 5] = [
    "order: ",
    "bus.nats.prefix",
    "bus.nats.url",
    "database.order.url, or data_dir",
    "nats kv del cleave-owners owner.order",
];

#[tokio::test(flavor = "multi_thread")]
async fn two_databases_of_one_context_do_not_share_its_events() {
    let (broker, ours, theirs) = (Broker::start().await, folder(), folder());
    let first = starts(&shop(&ours, &broker)).await;
    let mut second = shop(&theirs, &broker);
    second.topology.only = Some("order".to_owned());
    let secret = "a secret of two processes, as long as it must be";
    second.internal.key = Some(secret.to_owned());
    let places = &mut second.topology;
    for elsewhere in [
        &mut places.payment,
        &mut places.inventory,
        &mut places.user,
        &mut places.notification,
        &mut places.shipping,
    ] {
        *elsewhere = "http://127.0.0.1:9".to_owned();
    }
    refused(&second, &ORDER).await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deployments_do_not_share_a_prefix() {
    let (broker, ours, theirs) = (Broker::start().await, folder(), folder());
    let mut second = shop(&theirs, &broker);
    let first = starts(&shop(&ours, &broker)).await;
    refused(&second, &ORDER[1..3]).await;
    second.bus.nats.prefix = "another".to_owned();
    let beside = starts(&second).await;
    beside.stop().await;
    first.stop().await;

    // It stays the first one's while nobody is there, until somebody says otherwise.
    second.bus.nats.prefix = "cleave".to_owned();
    refused(&second, &["nats kv del cleave-owners owner."]).await;
    let owners = broker.by_hand().await.get_key_value("cleave-owners").await;
    let owners = owners.expect("it is there");
    for context in CONTEXTS {
        let released = owners.delete(format!("owner.{context}")).await;
        released.expect("released");
    }
    starts(&second).await.stop().await;
    refused(&shop(&ours, &broker), &["nats kv del cleave-owners owner."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_brokers_do_not_carry_the_events_of_one_database() {
    let (broker, other, data) = (Broker::start().await, Broker::start().await, folder());
    let mut settings = shop(&data, &broker);
    let places = &mut settings.database;
    for own in [
        &mut places.order,
        &mut places.payment,
        &mut places.inventory,
        &mut places.user,
        &mut places.notification,
        &mut places.shipping,
    ] {
        own.url = Some(DatabaseUrl(postgres::shared().schema().await));
    }
    settings.internal.key = Some("a secret of two processes, as long as it must be".to_owned());
    let first = starts(&settings).await;
    let with = |url: String, prefix: &str| {
        let mut settings = settings.clone();
        settings.bus.nats.url = Some(url);
        settings.bus.nats.prefix = prefix.to_owned();
        settings
    };
    for elsewhere in [with(other.url(), "cleave"), with(broker.url(), "another")] {
        let parts = [
            "database.",
            "another broker",
            "set bus.nats.url and bus.nats.prefix",
        ];
        refused(&elsewhere, &parts).await;
    }
    let beside = starts(&settings).await;
    beside.stop().await;
    first.stop().await;
    // Once nobody is there it may be carried by another.
    starts(&with(other.url(), "cleave")).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_goes_over_a_broker_and_comes_back() {
    let (broker, data) = (Broker::start().await, folder());
    let over = shop(&data, &broker);
    let mut alone = over.clone();
    alone.bus.kind = BusKind::InProcess;
    for settings in [&alone, &over, &alone, &over] {
        starts(settings).await.stop().await;
    }
}
