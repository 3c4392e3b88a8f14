//! The context's port: extract, call, convert.

use async_trait::async_trait;
use cleave_shipping_contract::port::{
    CancelShipment, Cancelled, GetShipments, ScheduleShipment, Scheduled, Shipments, ShippingPort,
};
use cleave_vocabulary::{CallContext, KeyedOutcome, OutcomeOf, PortError};

use crate::application::{Shipping, failure};

#[async_trait]
impl ShippingPort for Shipping {
    async fn schedule(
        &self,
        call: &CallContext,
        input: ScheduleShipment,
    ) -> Result<Scheduled, PortError> {
        self.schedule_shipment(call, input).await
    }

    async fn resolve_schedule(
        &self,
        _call: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Scheduled>, PortError> {
        self.resolve(input.key).await
    }

    async fn cancel(
        &self,
        call: &CallContext,
        input: CancelShipment,
    ) -> Result<Cancelled, PortError> {
        self.cancel_shipment(call, input).await
    }

    async fn shipments(
        &self,
        _call: &CallContext,
        input: GetShipments,
    ) -> Result<Shipments, PortError> {
        let standings = self.standings(input.order_ids).await;
        standings.map_err(|error| failure(error.into_store_error()).into())
    }
}
