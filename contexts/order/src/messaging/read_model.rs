//! Feeds the read model with the context's own events.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cleave_messaging::{EventHandler, HandleError, Handled, Inbox, Outbox};
use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::{Envelope, Event, EventId, OrderId, Timestamp};

use crate::application::{Whose, status_told_by};
use crate::domain::Status;
use crate::live::Freshness;
use crate::persistence::{self as rows, Seen};

pub(crate) struct ReadModel {
    pub(crate) freshness: Freshness,
}

impl ReadModel {
    pub(crate) const NAME: &'static str = "read_model";
    pub(crate) const TYPES: &'static [&'static str] = &[
        OrderCreated::TYPE,
        OrderConfirmed::TYPE,
        OrderPaid::TYPE,
        OrderShipped::TYPE,
        OrderDelivered::TYPE,
        OrderCancelled::TYPE,
    ];

    /// Whether it has heard of all that happened to an order: what is still on its
    /// way, in the outbox or on the bus, breaks nothing. What was settled longer ago
    /// than an inbox may remember is on its way no more.
    pub(crate) async fn has_heard_of(tx: &Tx, order: OrderId, now: Timestamp) -> Unit<bool> {
        let settled = Outbox::settled(tx).await?;
        let oldest = now.minus(Inbox::REMEMBERS);
        let events = Outbox::of_subject(tx, &order.to_string(), 0).await?;
        let own = events
            .iter()
            .filter(|(_, event)| Self::TYPES.contains(&&*event.kind));
        let may_be_on_their_way: Vec<EventId> = own
            .filter(|(seq, event)| *seq > settled || event.time > oldest)
            .map(|(_, event)| event.id)
            .collect();
        let missing = Inbox::missing(tx, Self::NAME, &may_be_on_their_way).await?;
        Ok(missing.is_empty())
    }

    /// What an event says; none where it is of a type unknown here.
    fn read(event: &Envelope) -> Result<Option<(Status, Seen)>, HandleError> {
        let Some(status) = status_told_by(&event.kind) else {
            return Ok(None);
        };
        let whose: Whose = serde_json::from_str(event.data.get())?;
        let seen = Seen {
            order: whose.order_id,
            user: whose.user_id,
            at: event.time,
        };
        Ok(Some((status, seen)))
    }

    /// Once this has committed, lists need not wait for the event any more.
    fn seen(&self, tx: &Tx, event: &Envelope) {
        let (freshness, id) = (self.freshness.clone(), event.id);
        tx.after_commit(move || freshness.seen(id));
    }
}

#[async_trait]
impl EventHandler for ReadModel {
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError> {
        let Some((status, seen)) = Self::read(event)? else {
            return Ok(Handled::Ignored);
        };
        rows::record_in_view(tx, status, &[seen]).await?;
        self.seen(tx, event);
        Ok(Handled::Done)
    }

    /// Events of different keys are about different orders.
    async fn handle_all(&self, tx: &Tx, events: &[Arc<Envelope>]) -> Result<(), HandleError> {
        let mut reached: BTreeMap<Status, Vec<Seen>> = BTreeMap::new();
        for event in events {
            if let Some((status, seen)) = Self::read(event)? {
                reached.entry(status).or_default().push(seen);
                self.seen(tx, event);
            }
        }
        for (status, seen) in reached {
            rows::record_in_view(tx, status, &seen).await?;
        }
        Ok(())
    }
}
