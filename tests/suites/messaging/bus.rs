//! The in-process bus keeps what every bus promises, and what it promises beyond.

use std::sync::Arc;

use cleave_messaging::{EventBus, InProcessBus, InProcessOptions, conformance};
use cleave_vocabulary::SystemClock;

const ROOM: usize = 128;

fn bus() -> Arc<dyn EventBus> {
    let options = InProcessOptions { queue: ROOM };
    Arc::new(InProcessBus::new(&options, Arc::new(SystemClock)))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_what_every_bus_promises() {
    conformance::run(async || bus(), ROOM).await;
}

#[tokio::test]
async fn a_receipt_waits_for_every_consumer() {
    conformance::receipts_wait_for_every_consumer(bus()).await;
}

#[tokio::test]
async fn publishing_waits_while_a_queue_is_full() {
    conformance::publishing_waits_for_room(bus(), ROOM).await;
}
