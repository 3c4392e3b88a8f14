//! The last step, and the pivot: stock leaves the shelf, and a carrier will
//! come. Stock is taken first, because a reservation expires and a booking does
//! not. If its reservation is gone, or the carrier says no, everything before
//! is undone; stock that was taken goes back with `release_inventory`.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_inventory_contract::port::TakeStock;
use cleave_saga::{Action, Resolution, Step, StepCall, StepKind, StepPolicy, Undo};
use cleave_shipping_contract::port::{
    Address, CancelShipment, SHIPPING_REFUSED, ScheduleShipment, Scheduled,
};
use cleave_store::Tx;
use cleave_vocabulary::{OutcomeOf, Refusal};
use sea_orm::DbErr;
use serde_json::Value;

use super::{OrderToFulfil, Workshop, outcome};
use crate::application::Parcel;
use crate::domain::CancellationReason;

pub(super) struct ArrangeShipping(pub(super) Arc<Workshop>);

impl ArrangeShipping {
    pub(super) const NAMES: (&str, &str) = ("arrange_shipping", "cancel_shipping");
}

#[async_trait]
impl Step<OrderToFulfil> for ArrangeShipping {
    fn name(&self) -> &'static str {
        Self::NAMES.0
    }

    fn undo_name(&self) -> &'static str {
        Self::NAMES.1
    }

    fn kind(&self) -> StepKind {
        StepKind::Pivot
    }

    fn policy(&self) -> StepPolicy {
        self.0.policy()
    }

    async fn act(&self, call: &StepCall, order: &OrderToFulfil) -> Action {
        self.0.begins(order);
        let take = TakeStock {
            key: format!("{}:take", call.key),
            order_id: order.order_id,
        };
        if let Err(error) = self.0.inventory.take(&call.call, take).await {
            return outcome::action::<()>(Err(error));
        }
        let schedule = ScheduleShipment {
            key: call.key.clone(),
            order_id: order.order_id,
            user_id: order.user_id,
            address: address_of(order),
        };
        outcome::action(self.0.shipping.schedule(&call.call, schedule).await)
    }

    /// Asks about the booking. Where that never happened the step acts again,
    /// and taking the stock again with the same key takes it once.
    async fn resolve(&self, call: &StepCall, _order: &OrderToFulfil) -> Resolution {
        let question = OutcomeOf {
            key: call.key.clone(),
        };
        outcome::resolution(self.0.shipping.resolve_schedule(&call.call, question).await)
    }

    async fn undo(&self, call: &StepCall, order: &OrderToFulfil) -> Undo {
        self.0.begins(order);
        let command = CancelShipment {
            key: call.key.clone(),
            order_id: order.order_id,
        };
        outcome::undo(self.0.shipping.cancel(&call.call, command).await)
    }

    async fn on_done(
        &self,
        tx: &Tx,
        call: &StepCall,
        order: &mut OrderToFulfil,
        output: &Value,
    ) -> Result<(), DbErr> {
        let booked: Scheduled = outcome::reply(output)?;
        if !call.cancelled {
            let parcel = Parcel {
                shipment: booked.shipment_id,
                tracking_number: &booked.tracking_number,
            };
            self.0.progress.booked(tx, order.about(), parcel).await?;
        }
        Ok(())
    }

    async fn on_refused(
        &self,
        _tx: &Tx,
        _call: &StepCall,
        order: &mut OrderToFulfil,
        refusal: &Refusal,
    ) -> Result<(), DbErr> {
        let reason = match refusal.code.as_ref() {
            SHIPPING_REFUSED | cleave_saga::EXHAUSTED => CancellationReason::ShippingRefused,
            // The stock is not held any more.
            _ => CancellationReason::Expired,
        };
        order.refuse(reason, refusal);
        Ok(())
    }

    async fn on_undone(
        &self,
        tx: &Tx,
        _call: &StepCall,
        order: &mut OrderToFulfil,
    ) -> Result<(), DbErr> {
        self.0.progress.news.wake(tx, order.order_id);
        Ok(())
    }
}

fn address_of(order: &OrderToFulfil) -> Address {
    let address = order.address.clone();
    Address {
        name: address.name,
        line1: address.line1,
        line2: address.line2,
        city: address.city,
        postal_code: address.postal_code,
        country: address.country,
    }
}
