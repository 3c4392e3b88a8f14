//! What other contexts may ask of stock and catalogue.

use cleave_vocabulary::{
    KeyedOutcome, Money, OrderId, OutcomeOf, ProductId, ReservationId, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// So many of one product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many; 1 or more.
    pub quantity: u32,
}

/// A line that stock does not suffice for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShortLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many were asked for.
    pub requested: u32,
    /// How many there are.
    pub available: i64,
}

/// Asks for prices and availability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GetQuote {
    /// Which products.
    pub product_ids: Vec<ProductId>,
}

/// What is known of the products asked for; unknown ones are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    /// Those that exist.
    pub products: Vec<QuotedProduct>,
}

/// A product as it is sold at this moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuotedProduct {
    /// Which.
    pub product_id: ProductId,
    /// Its stock-keeping unit.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// The price of one.
    pub unit_price: Money,
    /// On hand and not reserved.
    pub available: i64,
}

/// Holds stock for an order until it is taken, released, or expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReserveStock {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
    /// What; a line for each product.
    pub lines: Vec<StockLine>,
}

/// The stock is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reserved {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Held until then, unless taken before.
    pub expires_at: Timestamp,
}

/// Takes what is held for a paid order: it leaves the shelf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TakeStock {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
}

/// The stock is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Taken {
    /// The reservation.
    pub reservation_id: ReservationId,
}

/// Gives back what was held or taken for an order. Where nothing was, a tombstone keeps a late reservation from taking effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseStock {
    /// Idempotency key: safe to repeat with the same.
    pub key: String,
    /// For which order.
    pub order_id: OrderId,
}

/// Nothing is held or taken for the order any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Released {
    /// The reservation, if there ever was one.
    pub reservation_id: Option<ReservationId>,
}

/// Asks what is held for orders (for the audit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GetHoldings {
    /// Which orders.
    pub order_ids: Vec<OrderId>,
}

/// What is held or taken; orders without a reservation are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Holdings {
    /// One for each order with a reservation.
    pub items: Vec<Holding>,
}

/// The reservation of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Holding {
    /// Which order.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: HoldingState,
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldingState {
    /// Held: counts as reserved.
    Held,
    /// Taken: it left the shelf.
    Taken,
    /// Given back.
    Released,
    /// Given back because its time was over.
    Expired,
}

/// The refusal of [`InventoryPort::reserve`] when stock does not suffice; its
/// details are a list of [`ShortLine`].
pub const INSUFFICIENT_INVENTORY: &str = "insufficient_inventory";
/// The refusal of [`InventoryPort::reserve`] for a product that does not exist.
pub const UNKNOWN_PRODUCT: &str = "unknown_product";
/// The refusal of [`InventoryPort::reserve`] after a release of the same order.
pub const ALREADY_RELEASED: &str = "already_released";
/// The refusal of [`InventoryPort::take`] when nothing is held any more.
pub const RESERVATION_EXPIRED: &str = "reservation_expired";

cleave_seam::port! {
    /// Stock and catalogue, as other contexts use them.
    pub port InventoryPort for "inventory" {
        /// Prices and availability at this moment.
        query quote(GetQuote) -> Quote;
        /// Holds stock for an order.
        command reserve(ReserveStock) -> Reserved;
        /// What became of a reservation, by the key of its command.
        query reserve_outcome(OutcomeOf) -> KeyedOutcome<Reserved>;
        /// Takes what is held.
        command take(TakeStock) -> Taken;
        /// Gives back what is held or taken.
        command release(ReleaseStock) -> Released;
        /// What is held for orders.
        query holdings(GetHoldings) -> Holdings;
    }
}
