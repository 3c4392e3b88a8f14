//! Shipping, played.

use async_trait::async_trait;
use cleave_shipping_contract::events::{ShipmentCancelled, ShipmentScheduled};
use cleave_shipping_contract::port::{self as shipping, *};
use cleave_vocabulary::{CallContext, Id, KeyedOutcome, OutcomeOf, PortError, Refusal};

use super::{Parcel, Shop};

#[async_trait]
impl ShippingPort for Shop {
    async fn schedule(
        &self,
        call: &CallContext,
        input: ScheduleShipment,
    ) -> Result<Scheduled, PortError> {
        let order = input.order_id;
        self.command("schedule", &input.key, |books| {
            if books
                .parcels
                .get(&order)
                .is_some_and(|parcel| parcel.cancelled)
            {
                return Err(Refusal::new(ALREADY_CANCELLED, "it was called off before"));
            }
            let shipment_id = self.ids.next();
            let (user, shipment) = (input.user_id, Some(shipment_id));
            books.parcels.insert(
                order,
                Parcel {
                    shipment,
                    user,
                    cancelled: false,
                },
            );
            let scheduled = Scheduled {
                shipment_id,
                carrier: "simulated".to_owned(),
                tracking_number: "TRACK-1".to_owned(),
            };
            let event = ShipmentScheduled {
                shipment_id,
                order_id: order,
                user_id: user,
                carrier: scheduled.carrier.clone(),
                tracking_number: scheduled.tracking_number.clone(),
            };
            self.note(call, books, "shipping", &event);
            Ok(scheduled)
        })
        .await
    }

    async fn resolve_schedule(
        &self,
        _: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Scheduled>, PortError> {
        self.question("resolve_schedule")?;
        Ok(self.outcome(&input.key))
    }

    async fn cancel(
        &self,
        call: &CallContext,
        input: CancelShipment,
    ) -> Result<shipping::Cancelled, PortError> {
        let order = input.order_id;
        self.command("cancel_shipment", &input.key, |books| {
            let nobody = Id::from_uuid(self.ids.uuid());
            let none = || Parcel {
                shipment: None,
                user: nobody,
                cancelled: true,
            };
            let parcel = books.parcels.entry(order).or_insert_with(none);
            parcel.cancelled = true;
            let (shipment_id, user_id) = (parcel.shipment, parcel.user);
            if let Some(shipment_id) = shipment_id {
                let event = ShipmentCancelled {
                    shipment_id,
                    order_id: order,
                    user_id,
                };
                self.note(call, books, "shipping", &event);
            }
            Ok(shipping::Cancelled { shipment_id })
        })
        .await
    }

    async fn shipments(&self, _: &CallContext, _: GetShipments) -> Result<Shipments, PortError> {
        Ok(Shipments { items: Vec::new() })
    }
}
