//! What other contexts may ask of shipping.

use cleave_vocabulary::{KeyedOutcome, OrderId, OutcomeOf, ShipmentId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a shipment goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// Who receives it.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// More of it.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// Books a shipment with the carrier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleShipment {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
    /// Whose order.
    pub user_id: UserId,
    /// Where to.
    pub address: Address,
}

/// The carrier will come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scheduled {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Who carries it.
    pub carrier: String,
    /// How the carrier knows it.
    pub tracking_number: String,
}

/// Calls a shipment off. Where there is none, a tombstone keeps a late one from being booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancelShipment {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
}

/// No shipment will happen for the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    /// The shipment, if there ever was one.
    pub shipment_id: Option<ShipmentId>,
}

/// Asks how the shipments of orders stand (for the audit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GetShipments {
    /// Which orders.
    pub order_ids: Vec<OrderId>,
}

/// The shipments; orders without one are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shipments {
    /// One for each order with a shipment.
    pub items: Vec<ShipmentStanding>,
}

/// The shipment of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShipmentStanding {
    /// Which order.
    pub order_id: OrderId,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Its status, as the public API names it.
    pub status: String,
}

/// The refusal of [`ShippingPort::schedule`] when the carrier does not take it.
pub const SHIPPING_REFUSED: &str = "shipping_refused";
/// The refusal of [`ShippingPort::schedule`] after a cancellation for the same order.
pub const ALREADY_CANCELLED: &str = "already_cancelled";
/// The refusal of [`ShippingPort::cancel`] once the carrier has picked it up.
pub const ALREADY_DISPATCHED: &str = "already_dispatched";

cleave_seam::port! {
    /// Shipping, as other contexts use it.
    pub port ShippingPort for "shipping" {
        /// Books a shipment.
        command schedule(ScheduleShipment) -> Scheduled;
        /// What became of a booking, by the key of its command. `Never` where
        /// nothing was recorded: repeat it or cancel it, for the carrier knows it
        /// by the order, and either finds what it may hold already.
        command resolve_schedule(OutcomeOf) -> KeyedOutcome<Scheduled>;
        /// Calls a shipment off.
        command cancel(CancelShipment) -> Cancelled;
        /// How the shipments of orders stand.
        query shipments(GetShipments) -> Shipments;
    }
}
