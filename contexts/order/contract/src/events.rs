//! What happened to orders. Events only grow by optional
//! fields; another meaning is a new version.

use cleave_vocabulary::{
    Event, Money, OrderId, PaymentId, ProductId, ShipmentId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

/// A line of an order, at the price of its day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderedItem {
    /// Which product.
    pub product_id: ProductId,
    /// Its stock-keeping unit.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: Money,
    /// Quantity times price.
    pub line_total: Money,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShippingAddress {
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

/// An order was placed. It carries all that fulfilling it takes, so that a choreography needs nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderCreated {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// What was ordered.
    pub items: Vec<OrderedItem>,
    /// What it costs.
    pub total: Money,
    /// How it is to be paid.
    pub payment_method: String,
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// When.
    pub created_at: Timestamp,
}

impl Event for OrderCreated {
    const TYPE: &'static str = "order.created";

    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// Stock is held for the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
}

impl Event for OrderConfirmed {
    const TYPE: &'static str = "order.confirmed";

    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// The order is paid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderPaid {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// The payment.
    pub payment_id: PaymentId,
    /// How much.
    pub total: Money,
}

impl Event for OrderPaid {
    const TYPE: &'static str = "order.paid";

    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// The order is on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderShipped {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// How the carrier knows it.
    pub tracking_number: String,
}

impl Event for OrderShipped {
    const TYPE: &'static str = "order.shipped";

    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// The order has arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderDelivered {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// The shipment.
    pub shipment_id: ShipmentId,
}

impl Event for OrderDelivered {
    const TYPE: &'static str = "order.delivered";

    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// The order was called off, and everything done for it is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// `insufficient_inventory`, `payment_declined`, `shipping_refused`, `cancelled_by_customer`, `cancelled_by_operator` or `expired`.
    pub reason: String,
    /// In words, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Event for OrderCancelled {
    const TYPE: &'static str = "order.cancelled";

    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}
