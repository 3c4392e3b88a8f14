//! What happened to shipments. Events only grow by optional
//! fields; another meaning is a new version.

use cleave_vocabulary::{Event, OrderId, ShipmentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// A carrier will pick the order up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentScheduled {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// Whose order.
    pub user_id: UserId,
    /// Who carries it.
    pub carrier: String,
    /// How the carrier knows it.
    pub tracking_number: String,
}

impl Event for ShipmentScheduled {
    const TYPE: &'static str = "shipment.scheduled";

    fn subject(&self) -> String {
        self.shipment_id.to_string()
    }
}

/// The carrier does not take the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentRefused {
    /// The attempt.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// Whose order.
    pub user_id: UserId,
    /// What the carrier said, for people.
    pub message: String,
}

impl Event for ShipmentRefused {
    const TYPE: &'static str = "shipment.refused";

    fn subject(&self) -> String {
        self.shipment_id.to_string()
    }
}

/// The carrier has picked the order up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentDispatched {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// Whose order.
    pub user_id: UserId,
    /// How the carrier knows it.
    pub tracking_number: String,
    /// When.
    pub dispatched_at: Timestamp,
}

impl Event for ShipmentDispatched {
    const TYPE: &'static str = "shipment.dispatched";

    fn subject(&self) -> String {
        self.shipment_id.to_string()
    }
}

/// The order has arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentDelivered {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// Whose order.
    pub user_id: UserId,
    /// When.
    pub delivered_at: Timestamp,
}

impl Event for ShipmentDelivered {
    const TYPE: &'static str = "shipment.delivered";

    fn subject(&self) -> String {
        self.shipment_id.to_string()
    }
}

/// The shipment was called off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipmentCancelled {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// For which order.
    pub order_id: OrderId,
    /// Whose order.
    pub user_id: UserId,
}

impl Event for ShipmentCancelled {
    const TYPE: &'static str = "shipment.cancelled";

    fn subject(&self) -> String {
        self.shipment_id.to_string()
    }
}
