//! What happened to stock. Events only grow by optional
//! fields; another meaning is a new version.

use cleave_vocabulary::{Event, OrderId, ProductId, ReservationId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::port::{ShortLine, StockLine};

/// Stock is held for an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryReserved {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// For which order.
    pub order_id: OrderId,
    /// What is held.
    pub lines: Vec<StockLine>,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Event for InventoryReserved {
    const TYPE: &'static str = "inventory.reserved";

    fn subject(&self) -> String {
        self.reservation_id.to_string()
    }
}

/// Stock did not suffice for an order; nothing is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReservationFailed {
    /// The attempt.
    pub reservation_id: ReservationId,
    /// For which order.
    pub order_id: OrderId,
    /// The lines that fell short.
    pub short: Vec<ShortLine>,
}

impl Event for ReservationFailed {
    const TYPE: &'static str = "inventory.reservation_failed";

    fn subject(&self) -> String {
        self.reservation_id.to_string()
    }
}

/// What was held or taken for an order was given back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryReleased {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// For which order.
    pub order_id: OrderId,
    /// What was given back.
    pub lines: Vec<StockLine>,
    /// Why.
    pub reason: ReleaseReason,
}

impl Event for InventoryReleased {
    const TYPE: &'static str = "inventory.released";

    fn subject(&self) -> String {
        self.reservation_id.to_string()
    }
}

/// The available stock of a product fell to its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StockLow {
    /// Which product.
    pub product_id: ProductId,
    /// Its stock-keeping unit.
    pub sku: String,
    /// What is left.
    pub available: i64,
    /// The threshold.
    pub threshold: i64,
}

impl Event for StockLow {
    const TYPE: &'static str = "inventory.stock_low";

    fn subject(&self) -> String {
        self.product_id.to_string()
    }
}

/// Why stock was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// The order's fulfilment was undone.
    Compensated,
    /// The reservation's time was over.
    Expired,
}
