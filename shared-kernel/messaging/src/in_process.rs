//! The bus within one process: bounded queues, nothing kept beyond the process
//! (the outbox and its relay keep it).

use std::sync::Arc;

use async_trait::async_trait;
use cleave_vocabulary::{Clock, Envelope};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{BusError, Delivery, EventBus, Receipt, Subscription};

/// The settings of `bus.in_process`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InProcessOptions {
    /// Events that may wait for one consumer; a full queue slows the relay.
    pub queue: usize,
}

impl Default for InProcessOptions {
    fn default() -> Self {
        Self { queue: 1024 }
    }
}

/// The in-process adapter.
pub struct InProcessBus {}

impl InProcessBus {
    /// An empty bus.
    pub fn new(_options: &InProcessOptions, _clock: Arc<dyn Clock>) -> Self {
        todo!()
    }
}

#[async_trait]
impl EventBus for InProcessBus {
    async fn publish(&self, _envelope: Arc<Envelope>) -> Result<Receipt, BusError> {
        todo!()
    }
    async fn subscribe(
        &self,
        _subscription: Subscription,
    ) -> Result<BoxStream<'static, Delivery>, BusError> {
        todo!()
    }
    async fn close(&self) {
        todo!()
    }
    fn kind(&self) -> &'static str {
        "in_process"
    }
}
