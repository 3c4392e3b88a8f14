//! The bus over NATS keeps what every bus promises, and goes on when a process
//! or the broker dies.

mod refusals;
mod sharing;
mod streams;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use cleave_messaging::EventBus;
use cleave_messaging::conformance::{self, Sample};
use cleave_nats::{NatsBus, NatsError, NatsOptions};
use cleave_tests::broker::Broker;
use cleave_vocabulary::SystemClock;

const IN_HAND: usize = 64;

fn options(broker: &Broker) -> NatsOptions {
    NatsOptions {
        url: Some(broker.url()),
        max_in_flight: IN_HAND,
        lease: Duration::from_secs(1),
        ..NatsOptions::default()
    }
}

async fn try_open(options: NatsOptions) -> Result<Arc<dyn EventBus>, NatsError> {
    let instance = Sample::default().name("instance");
    let bus = NatsBus::open(options, instance, Arc::new(SystemClock)).await?;
    Ok(Arc::new(bus))
}

async fn open(options: NatsOptions) -> Arc<dyn EventBus> {
    try_open(options).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_what_every_bus_promises() {
    let broker = Broker::start().await;
    conformance::run(async || open(options(&broker)).await, IN_HAND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_it_with_one_part_too() {
    let broker = Broker::start().await;
    let one = NatsOptions {
        partitions: 1,
        ..options(&broker)
    };
    conformance::run(async || open(one.clone()).await, IN_HAND).await;
}
