//! Feeds the read model with the context's own events.

use async_trait::async_trait;
use cleave_messaging::{EventHandler, HandleError, Handled};
use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_store::Tx;
use cleave_vocabulary::{Envelope, Event};

use crate::application::{Whose, status_told_by};
use crate::live::Freshness;
use crate::persistence::{self as rows, Seen};

pub(crate) struct ReadModel {
    pub(crate) freshness: Freshness,
}

impl ReadModel {
    pub(crate) const TYPES: &'static [&'static str] = &[
        OrderCreated::TYPE,
        OrderConfirmed::TYPE,
        OrderPaid::TYPE,
        OrderShipped::TYPE,
        OrderDelivered::TYPE,
        OrderCancelled::TYPE,
    ];
}

#[async_trait]
impl EventHandler for ReadModel {
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError> {
        let Some(status) = status_told_by(&event.kind) else {
            return Ok(Handled::Ignored);
        };
        let whose: Whose = serde_json::from_str(event.data.get())?;
        let seen = Seen {
            order: whose.order_id,
            user: whose.user_id,
            at: event.time,
        };
        rows::record_in_view(tx, status, &[seen]).await?;
        let (freshness, id) = (self.freshness.clone(), event.id);
        tx.after_commit(move || freshness.seen(id));
        Ok(Handled::Done)
    }
}
