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

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use cleave_messaging::EventBus;
use cleave_messaging::conformance::{self, Sample};
use cleave_nats::{NatsBus, NatsError, NatsOptions};
use cleave_tests::broker::Broker;
use cleave_vocabulary::{Envelope, SystemClock};

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

/// The family of a sample's events.
const FAMILY: &str = "conformance";

/// Publishes as a relay does: again from the first that failed, and all of them where
/// what carries them is not what it was, which is `known`. Of these, so many are
/// `settled`. Goes on until it is dropped.
async fn relay(
    bus: &Arc<dyn EventBus>,
    events: &[Arc<Envelope>],
    mut known: Option<String>,
    mut settled: usize,
) -> Infallible {
    loop {
        if let Ok(now) = bus.incarnation(FAMILY).await {
            if now != known {
                settled = 0;
            }
            known = now;
            settled += publish(bus, &events[settled..]).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Publishes many at a time, up to the first that fails; how many were settled.
async fn publish(bus: &Arc<dyn EventBus>, events: &[Arc<Envelope>]) -> usize {
    const AT_ONCE: usize = 100;
    let mut settled = 0;
    for some in events.chunks(AT_ONCE) {
        let mut receipts = Vec::new();
        for event in some {
            match bus.publish(event.clone()).await {
                Ok(receipt) => receipts.push(receipt),
                Err(_) => break,
            }
        }
        let handed_over = receipts.len();
        for receipt in receipts {
            if receipt.await.is_err() {
                return settled;
            }
            settled += 1;
        }
        if handed_over < some.len() {
            return settled;
        }
    }
    settled
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
