//! From a relay to the broker, many at a time and never out of order.
//!
//! Each event names the one that was published before it (`Nats-Expected-Last-
//! Msg-Id`), and the broker takes it only if that one is the last it has. So when
//! one of a hundred in flight is lost, all behind it are refused, which is what a
//! [`Receipt`] promises: publish again from the first that failed. An event that
//! is published a second time while it is open is such a new beginning, and
//! expects nothing: what came before it has been acknowledged, or its publisher
//! would begin earlier.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_nats::Client;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self};
use cleave_messaging::{BusError, Receipt, family};
use cleave_vocabulary::{Envelope, EventId};
use parking_lot::Mutex as Lock;
use tokio::sync::Mutex;

use crate::names;
use crate::streams::Streams;

/// More than the ids in an event's headers need.
const HEADERS: usize = 512;

/// Publishes to every stream.
pub(crate) struct Publisher {
    client: Client,
    jetstream: jetstream::Context,
    streams: Arc<Streams>,
    prefix: String,
    partitions: u16,
    chains: Lock<HashMap<String, Arc<Chain>>>,
}

/// The events of one family, each behind the one before it.
struct Chain {
    family: String,
    /// Held while an event is handed to the connection, so that the order of the
    /// chain is the order on the wire.
    last: Mutex<Option<EventId>>,
    /// Events whose receipts are waited for, or have failed.
    open: Lock<HashSet<EventId>>,
}

/// Takes an event out of the open ones, unless it failed.
struct Open {
    chain: Arc<Chain>,
    event: EventId,
    failed: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.failed {
            self.chain.open.lock().remove(&self.event);
        }
    }
}

impl Publisher {
    pub(crate) fn new(
        client: Client,
        jetstream: jetstream::Context,
        streams: Arc<Streams>,
        prefix: String,
        partitions: u16,
    ) -> Self {
        Self {
            client,
            jetstream,
            streams,
            prefix,
            partitions,
            chains: Lock::default(),
        }
    }

    /// Hands an event to the broker; the receipt resolves when it has stored it.
    pub(crate) async fn publish(&self, envelope: &Envelope) -> Result<Receipt, BusError> {
        let family = family(&envelope.kind);
        self.streams.ready(family).await?;
        let chain = self.chain(family);
        let part = names::partition(&envelope.subject, self.partitions);
        let subject = names::subject(&self.prefix, &envelope.kind, part);
        let payload = serde_json::to_vec(envelope).map_err(failed)?;
        self.check_size(envelope, payload.len())?;
        let mut last = chain.last.lock().await;
        if chain.open.lock().contains(&envelope.id) {
            chain.open.lock().clear();
            *last = None;
        }
        let mut message = PublishMessage::build()
            .message_id(envelope.id.to_string())
            .payload(payload.into());
        // A stream that has taken the place of another knows none of its events, and so
        // refuses what follows one of them: its relay has to begin again.
        if let Some(last) = *last {
            message = message.expected_last_message_id(last.to_string());
        }
        let sent = self.jetstream.send_publish(subject, message).await;
        let acknowledged = sent.map_err(failed)?;
        *last = Some(envelope.id);
        chain.open.lock().insert(envelope.id);
        drop(last);
        let mut open = Open {
            chain,
            event: envelope.id,
            failed: false,
        };
        let streams = self.streams.clone();
        Ok(Box::pin(async move {
            let Err(error) = acknowledged.await else {
                return Ok(());
            };
            open.failed = true;
            if error.kind() == PublishErrorKind::StreamNotFound {
                streams.forget(&open.chain.family).await;
            }
            Err(failed(error))
        }))
    }

    /// An event that the broker can't take waits, and what is behind it: an
    /// outbox that skips is none. So the reason is told in full.
    fn check_size(&self, envelope: &Envelope, size: usize) -> Result<(), BusError> {
        let max_payload = self.client.max_payload();
        if size + HEADERS <= max_payload {
            return Ok(());
        }
        let (id, kind) = (&envelope.id, &envelope.kind);
        Err(failed(format!(
            "the event {id} ({kind}) has {size} bytes, and the broker takes {max_payload} with the headers; raise max_payload in the broker's configuration: events behind it wait"
        )))
    }

    fn chain(&self, family: &str) -> Arc<Chain> {
        let mut chains = self.chains.lock();
        if let Some(chain) = chains.get(family) {
            return chain.clone();
        }
        let chain = Arc::new(Chain {
            family: family.to_owned(),
            last: Mutex::default(),
            open: Lock::default(),
        });
        chains.insert(family.to_owned(), chain.clone());
        chain
    }
}

fn failed(error: impl std::fmt::Display) -> BusError {
    BusError::Failed(error.to_string())
}
