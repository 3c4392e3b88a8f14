//! The bus over NATS keeps what every bus promises, and goes on when a process
//! or the broker dies.

mod credentials;
mod drift;
mod limits;
mod lost;
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
        partitions: 4,
        max_in_flight: IN_HAND,
        lease: Duration::from_secs(1),
        ..NatsOptions::default()
    }
}

fn in_one_part(broker: &Broker) -> NatsOptions {
    NatsOptions {
        partitions: 1,
        ..options(broker)
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
    let one = in_one_part(&broker);
    conformance::run(async || open(one.clone()).await, IN_HAND).await;
}

/// All but that which takes events of different keys to arrive in the order in
/// which they were published: what is in different parts does not.
#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_it_in_several_parts_too() {
    let broker = Broker::start().await;
    let bus = async || open(options(&broker)).await;
    conformance::reaches_each_consumer_once(bus().await).await;
    conformance::keeps_the_order_of_each_subject_across_redelivery(bus().await).await;
    conformance::delivers_again_later(bus().await).await;
    conformance::delivers_again_what_was_dropped(bus().await).await;
    conformance::does_not_deliver_again_what_was_given_up(bus().await).await;
    conformance::publishes_to_nobody(bus().await).await;
    conformance::bounds_what_is_unsettled(bus().await, IN_HAND).await;
    conformance::refuses_a_second_consumer_of_one_name(bus().await).await;
    conformance::goes_on_where_a_consumer_stood(bus().await).await;
    conformance::ends_streams_when_closed(bus().await).await;
}
