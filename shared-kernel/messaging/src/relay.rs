//! The relay hands what the outbox holds to the bus, in order, and keeps a
//! durable watermark below which every event is settled.

use std::sync::Arc;
use std::time::Duration;

use cleave_store::Store;
use cleave_vocabulary::Clock;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::EventBus;

/// The settings of `bus.relay`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayOptions {
    /// Rows read at a time.
    pub batch: u64,
    /// Events published and not yet settled, at the most.
    pub in_flight: usize,
    /// How often the watermark is written while events flow.
    #[serde(with = "cleave_vocabulary::duration")]
    pub watermark_every: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            batch: 256,
            in_flight: 4096,
            watermark_every: Duration::from_millis(500),
        }
    }
}

/// The relay of one context's outbox.
pub struct Relay {
    #[allow(dead_code)]
    store: Store,
    #[allow(dead_code)]
    bus: Arc<dyn EventBus>,
    #[allow(dead_code)]
    clock: Arc<dyn Clock>,
    #[allow(dead_code)]
    options: RelayOptions,
}

impl Relay {
    /// A relay from `store`'s outbox to `bus`.
    pub fn new(
        store: Store,
        bus: Arc<dyn EventBus>,
        clock: Arc<dyn Clock>,
        options: RelayOptions,
    ) -> Self {
        Self {
            store,
            bus,
            clock,
            options,
        }
    }

    /// Runs until `stop`, then writes its watermark and returns.
    pub async fn run(self, _stop: CancellationToken) {
        todo!()
    }
}
