//! The simulated carrier's rounds: it picks up and delivers whatever is due, as
//! many as there are in one unit, because at a thousand orders a second one
//! unit to each would cost more than the orders. A shipment that is due stays so
//! until it is moved; rounds that were missed are made up for.

use std::time::Duration;

use cleave_messaging::Outbox;
use cleave_shipping_contract::events::{ShipmentDelivered, ShipmentDispatched};
use cleave_store::{StoreError, Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, Envelope, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Shipping;
use crate::persistence::due::{self, Moved};

/// Shipments picked up, and shipments delivered, in one unit: enough to keep
/// up, and few enough that orders behind it do not wait long.
const BATCH: i64 = 256;

impl Shipping {
    /// Moves what is due; returns how many.
    pub(crate) async fn move_due(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        // Looking costs a reader, not the writer.
        let due: Unit<bool> = self
            .store
            .read(async move |tx| Ok(due::any(tx, now).await?))
            .await;
        if !due.map_err(UnitError::into_store_error)? {
            return Ok(0);
        }
        let this = self.clone();
        self.store
            .write(async move |tx| this.move_due_in(tx, now).await)
            .await
            .map_err(UnitError::into_store_error)
    }

    async fn move_due_in(&self, tx: &Tx, now: Timestamp) -> Unit<usize> {
        let delivered = due::deliver(tx, now, BATCH).await?;
        let then = self.rounds.delivery_of(now);
        let sent = due::pick_up(tx, now, then, BATCH).await?;
        let mut events = Vec::with_capacity(delivered.len() + sent.len());
        events.extend(delivered.iter().map(|moved| self.delivered(moved, now)));
        events.extend(sent.iter().map(|moved| self.dispatched(moved, now)));
        Outbox::append(tx, &events).await?;
        Ok(events.len())
    }

    fn dispatched(&self, moved: &Moved, now: Timestamp) -> Envelope {
        let event = ShipmentDispatched {
            shipment_id: moved.id,
            order_id: moved.order_id,
            user_id: moved.user_id,
            tracking_number: moved.tracking_number.clone(),
            dispatched_at: now,
        };
        self.events.event(&call_of(moved), &event)
    }

    fn delivered(&self, moved: &Moved, now: Timestamp) -> Envelope {
        let event = ShipmentDelivered {
            shipment_id: moved.id,
            order_id: moved.order_id,
            user_id: moved.user_id,
            delivered_at: now,
        };
        self.events.event(&call_of(moved), &event)
    }
}

/// Nobody asks for a carrier's step; it belongs to whatever asked for the booking.
fn call_of(moved: &Moved) -> CallContext {
    CallContext::of(moved.correlation.clone())
}

/// Makes its rounds every so often until told to stop; at once again where a
/// round was too short for all that was due.
pub(crate) async fn make_rounds(shipping: Shipping, every: Duration, stop: CancellationToken) {
    loop {
        let moved = shipping.move_due().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a round of the carrier was missed");
            0
        });
        let more = i64::try_from(moved).is_ok_and(|moved| moved >= BATCH);
        if more && !stop.is_cancelled() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = shipping.clock.sleep(every) => {}
        }
    }
}
