//! Hears what other contexts did for orders: writes it down for the timeline
//! and, in the same commit, moves the order on where it means that. One handler
//! for all of it, so that what is said about one shipment or one payment is
//! heard in the order in which it was said.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_inventory_contract::events::{
    InventoryReleased, InventoryReserved, ReleaseReason, ReservationFailed,
};
use cleave_messaging::{EventHandler, HandleError, Handled};
use cleave_payment_contract::events::{PaymentCompleted, PaymentFailed, PaymentRefunded};
use cleave_saga::Engine;
use cleave_shipping_contract::events::{
    ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentRefused, ShipmentScheduled,
};
use cleave_store::Tx;
use cleave_vocabulary::{Clock, Envelope, Event, OrderId};
use serde::Deserialize;

use crate::application::{About, Moved, Parcel, Progress};
use crate::domain::{Cancellation, CancellationReason, Status};
use crate::persistence as rows;

pub(crate) struct FulfilmentEvents {
    pub(crate) engine: Engine,
    pub(crate) progress: Progress,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What every one of these events says.
#[derive(Deserialize)]
struct AboutOrder {
    order_id: OrderId,
}

impl FulfilmentEvents {
    pub(crate) const TYPES: &'static [&'static str] = &[
        InventoryReserved::TYPE,
        ReservationFailed::TYPE,
        InventoryReleased::TYPE,
        PaymentCompleted::TYPE,
        PaymentFailed::TYPE,
        PaymentRefunded::TYPE,
        ShipmentScheduled::TYPE,
        ShipmentRefused::TYPE,
        ShipmentDispatched::TYPE,
        ShipmentDelivered::TYPE,
        ShipmentCancelled::TYPE,
    ];
}

#[async_trait]
impl EventHandler for FulfilmentEvents {
    async fn handle(&self, tx: &Tx, event: &Envelope) -> Result<Handled, HandleError> {
        let order = order_of(event)?;
        rows::observe(tx, &[(order, event)], self.clock.now()).await?;
        self.follow(tx, order, event).await?;
        Ok(Handled::Done)
    }

    async fn handle_all(&self, tx: &Tx, events: &[Arc<Envelope>]) -> Result<(), HandleError> {
        let about = events.iter().map(|event| Ok((order_of(event)?, &**event)));
        let about = about.collect::<Result<Vec<_>, HandleError>>()?;
        rows::observe(tx, &about, self.clock.now()).await?;
        for (order, event) in about {
            self.follow(tx, order, event).await?;
        }
        Ok(())
    }
}

fn order_of(event: &Envelope) -> Result<OrderId, HandleError> {
    let AboutOrder { order_id } = serde_json::from_str(event.data.get())?;
    Ok(order_id)
}

impl FulfilmentEvents {
    /// Moves the order on, where the event means that.
    async fn follow(&self, tx: &Tx, order: OrderId, event: &Envelope) -> Result<(), HandleError> {
        match event.kind.as_ref() {
            InventoryReleased::TYPE => self.released(tx, &event.decode()?).await?,
            PaymentFailed::TYPE => self.payment_failed(tx, &event.decode()?).await?,
            PaymentRefunded::TYPE => self.refunded(tx, &event.decode()?).await?,
            ShipmentDispatched::TYPE => self.dispatched(tx, event).await?,
            ShipmentDelivered::TYPE => self.delivered(tx, event).await?,
            ShipmentCancelled::TYPE => self.shipment_cancelled(tx, &event.decode()?).await?,
            // The saga heard of the others before, as the answers to its commands.
            _ => {}
        }
        self.progress.news.wake(tx, order);
        Ok(())
    }

    /// Stock that is no longer held is not waited for: the order is undone,
    /// unless its saga has ended or turned back already.
    async fn released(&self, tx: &Tx, event: &InventoryReleased) -> Result<(), HandleError> {
        if event.reason != ReleaseReason::Expired {
            return Ok(());
        }
        let reason = CancellationReason::Expired;
        let subject = event.order_id.to_string();
        if self.engine.cancel(tx, &subject, reason.as_str()).await? {
            let wanted = Cancellation::because(reason);
            rows::request_cancellation(tx, event.order_id, &wanted, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn payment_failed(&self, tx: &Tx, event: &PaymentFailed) -> Result<(), HandleError> {
        let (order, payment, now) = (event.order_id, event.payment_id, self.clock.now());
        rows::note_payment(tx, order, payment, "failed", now).await?;
        Ok(())
    }

    async fn refunded(&self, tx: &Tx, event: &PaymentRefunded) -> Result<(), HandleError> {
        let (order, payment, now) = (event.order_id, event.payment_id, self.clock.now());
        rows::note_payment(tx, order, payment, &event.status, now).await?;
        Ok(())
    }

    async fn dispatched(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let event: ShipmentDispatched = envelope.decode()?;
        let about = About {
            order: event.order_id,
            user: event.user_id,
        };
        let parcel = Parcel {
            shipment: event.shipment_id,
            tracking_number: &event.tracking_number,
        };
        let moved = self
            .progress
            .shipped(tx, &envelope.call(), about, parcel)
            .await?;
        unless_early(moved)
    }

    async fn delivered(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let event: ShipmentDelivered = envelope.decode()?;
        let about = About {
            order: event.order_id,
            user: event.user_id,
        };
        let call = envelope.call();
        let moved = self
            .progress
            .delivered(tx, &call, about, event.shipment_id)
            .await?;
        unless_early(moved)
    }

    async fn shipment_cancelled(
        &self,
        tx: &Tx,
        event: &ShipmentCancelled,
    ) -> Result<(), HandleError> {
        let (order, shipment, now) = (event.order_id, event.shipment_id, self.clock.now());
        rows::note_shipment_cancelled(tx, order, shipment, now).await?;
        Ok(())
    }
}

/// An order that is final keeps its status, whatever is still said of it. One
/// that is not there yet (a carrier may be quicker than our own commit) will be.
fn unless_early(moved: Moved) -> Result<(), HandleError> {
    match moved {
        Err(Some(refused)) if !refused.from.is_final() && refused.from != Status::Shipped => {
            Err(HandleError::Later(refused.to_string()))
        }
        Err(None) => Err(HandleError::Poison("there is no such order".to_owned())),
        Ok(()) | Err(Some(_)) => Ok(()),
    }
}
