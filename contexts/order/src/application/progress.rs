//! What the outcomes of fulfilment mean to an order: its status moves on, and
//! the event that says so is in the same commit. Whoever drives fulfilment
//! calls this; nothing else changes an order's status after it was placed.

use std::sync::Arc;

use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_store::Tx;
use cleave_vocabulary::{CallContext, Clock, Event, Money, PaymentId, ShipmentId};
use sea_orm::DbErr;

use super::{About, News};
use crate::domain::{Cancellation, IllegalTransition, Status};
use crate::persistence as rows;

/// Moves orders on.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) news: News,
}

/// A shipment, as the carrier knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'a> {
    pub(crate) shipment: ShipmentId,
    pub(crate) tracking_number: &'a str,
}

/// How a move ended: what kept it from being made, if anything did; `None`
/// inside says that there is no such order.
pub(crate) type Moved = Result<(), Option<IllegalTransition>>;

impl Progress {
    /// Its stock is reserved.
    pub(crate) async fn confirmed(
        &self,
        tx: &Tx,
        call: &CallContext,
        about: About,
    ) -> Result<Moved, DbErr> {
        let moved = rows::confirm(tx, about.order, self.clock.now()).await?;
        let event = OrderConfirmed {
            order_id: about.order,
            user_id: about.user,
        };
        self.tell(tx, call, about, Status::Confirmed, moved, &event)
            .await
    }

    /// It is charged.
    pub(crate) async fn paid(
        &self,
        tx: &Tx,
        call: &CallContext,
        about: About,
        payment_id: PaymentId,
        total: Money,
    ) -> Result<Moved, DbErr> {
        let moved = rows::pay(tx, about.order, payment_id, self.clock.now()).await?;
        let event = OrderPaid {
            order_id: about.order,
            user_id: about.user,
            payment_id,
            total,
        };
        self.tell(tx, call, about, Status::Paid, moved, &event)
            .await
    }

    /// A shipment is booked: all that fulfilment does here is done.
    pub(crate) async fn booked(
        &self,
        tx: &Tx,
        about: About,
        parcel: Parcel<'_>,
    ) -> Result<(), DbErr> {
        let Parcel {
            shipment,
            tracking_number,
        } = parcel;
        rows::book_shipment(tx, about.order, shipment, tracking_number, self.clock.now()).await?;
        self.news.wake_settled(tx, about.order);
        Ok(())
    }

    /// The carrier has picked it up.
    pub(crate) async fn shipped(
        &self,
        tx: &Tx,
        call: &CallContext,
        about: About,
        parcel: Parcel<'_>,
    ) -> Result<Moved, DbErr> {
        let Parcel {
            shipment,
            tracking_number,
        } = parcel;
        let now = self.clock.now();
        let moved = rows::ship(tx, about.order, shipment, tracking_number, now).await?;
        let event = OrderShipped {
            order_id: about.order,
            user_id: about.user,
            shipment_id: shipment,
            tracking_number: tracking_number.to_owned(),
        };
        self.tell(tx, call, about, Status::Shipped, moved, &event)
            .await
    }

    /// It has arrived.
    pub(crate) async fn delivered(
        &self,
        tx: &Tx,
        call: &CallContext,
        about: About,
        shipment_id: ShipmentId,
    ) -> Result<Moved, DbErr> {
        let moved = rows::deliver(tx, about.order, self.clock.now()).await?;
        let event = OrderDelivered {
            order_id: about.order,
            user_id: about.user,
            shipment_id,
        };
        self.tell(tx, call, about, Status::Delivered, moved, &event)
            .await
    }

    /// Everything done for it is undone. `why` holds unless someone asked for
    /// it to be cancelled before, with a reason of their own.
    pub(crate) async fn cancelled(
        &self,
        tx: &Tx,
        call: &CallContext,
        about: About,
        why: &Cancellation,
    ) -> Result<(), DbErr> {
        let Some(why) = rows::cancel(tx, about.order, why, self.clock.now()).await? else {
            tracing::warn!(order = %about.order, "an order that cannot be cancelled was undone");
            return Ok(());
        };
        let event = OrderCancelled {
            order_id: about.order,
            user_id: about.user,
            reason: why.reason.as_str().to_owned(),
            detail: why.detail,
        };
        let event = self.news.event(call, &event);
        self.news
            .publish(tx, &event, about, Status::Cancelled)
            .await
    }

    async fn tell<E: Event>(
        &self,
        tx: &Tx,
        call: &CallContext,
        about: About,
        status: Status,
        moved: Moved,
        event: &E,
    ) -> Result<Moved, DbErr> {
        match moved {
            Ok(()) => {
                let event = self.news.event(call, event);
                self.news.publish(tx, &event, about, status).await?;
            }
            Err(refused) => tracing::debug!(order = %about.order, ?refused, "no move to {status}"),
        }
        Ok(moved)
    }
}
