//! Tells the owner of an order what happened to it: one message for each event.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_messaging::{EventHandler, HandleError, Handled};
use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_store::Tx;
use cleave_vocabulary::{Clock, Envelope, Event, OrderId, UserId};

use crate::application::notify::notify;
use crate::domain::{Kind, Message, Queued};

/// Queues a message for each event of an order.
pub(super) struct TellOfOrders(pub(super) Arc<dyn Clock>);

impl TellOfOrders {
    /// The message; none where the event is of a type unknown here.
    fn message(&self, event: &Envelope) -> Result<Option<Queued>, serde_json::Error> {
        let told = told(event)?;
        Ok(told
            .map(|(owner, kind, message)| Queued::about(event, owner, kind, message, self.0.now())))
    }
}

#[async_trait]
impl EventHandler for TellOfOrders {
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError> {
        let Some(message) = self.message(event)? else {
            return Ok(Handled::Ignored);
        };
        notify(tx, &[message]).await?;
        Ok(Handled::Done)
    }

    async fn handle_all(&self, tx: &Tx, events: &[Arc<Envelope>]) -> Result<(), HandleError> {
        let messages = events
            .iter()
            .filter_map(|event| self.message(event).transpose());
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        Ok(notify(tx, &messages).await?)
    }
}

type Told = ((UserId, Option<OrderId>), Kind, Message);

/// Whom the event is told to, and how; none where it is of a type unknown here.
fn told(event: &Envelope) -> Result<Option<Told>, serde_json::Error> {
    macro_rules! tell {
        ($type:ty, $kind:expr, $message:expr) => {{
            let payload: $type = event.decode()?;
            let owner = (payload.user_id, Some(payload.order_id));
            Ok(Some((owner, $kind, $message(&payload))))
        }};
    }
    match event.kind.as_ref() {
        OrderCreated::TYPE => tell!(OrderCreated, Kind::OrderCreated, Message::order_created),
        OrderConfirmed::TYPE => {
            tell!(
                OrderConfirmed,
                Kind::OrderConfirmed,
                Message::order_confirmed
            )
        }
        OrderPaid::TYPE => tell!(OrderPaid, Kind::OrderPaid, Message::order_paid),
        OrderShipped::TYPE => tell!(OrderShipped, Kind::OrderShipped, Message::order_shipped),
        OrderDelivered::TYPE => {
            tell!(
                OrderDelivered,
                Kind::OrderDelivered,
                Message::order_delivered
            )
        }
        OrderCancelled::TYPE => {
            tell!(
                OrderCancelled,
                Kind::OrderCancelled,
                Message::order_cancelled
            )
        }
        _ => Ok(None),
    }
}
