//! Orders as clients see them.

use cleave_vocabulary::{Money, OrderId, PaymentId, ProductId, ShipmentId, Timestamp, UserId};
use cleave_web::schema::one_of;
use cleave_web::{Answer, Version, rules};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::Schema;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::domain::timeline::Item;
use crate::domain::{
    Address, AllowedAction, Cancellation, Line, Order, PaymentOfOrder, ShipmentOfOrder, Status,
};

/// What to buy, how to pay, and where it goes.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrder)]
pub(crate) struct PlaceOrderBody {
    /// At most 100 lines; the same product on two lines is one line of the sum.
    #[validate(length(min = 1), nested)]
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) items: Vec<NewLine>,
    /// How it is to be paid.
    #[validate(length(min = 1, max = 100), custom(function = rules::one_line))]
    #[schema(example = "pm_card_visa", min_length = 1, max_length = 100)]
    pub(crate) payment_method: String,
    /// Where it goes.
    #[validate(nested)]
    pub(crate) shipping_address: AddressBody,
}

/// So many of one product.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrderLine)]
pub(crate) struct NewLine {
    /// Which.
    pub(crate) product_id: ProductId,
    /// How many.
    #[validate(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000)]
    pub(crate) quantity: u32,
}

/// Where an order goes.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShippingAddress)]
pub(crate) struct AddressBody {
    /// Who receives it.
    #[serde(deserialize_with = "rules::trimmed")]
    #[validate(length(min = 1, max = 200), custom(function = rules::one_line))]
    #[schema(example = "A. Buyer", min_length = 1, max_length = 200)]
    name: String,
    /// Street and number.
    #[serde(deserialize_with = "rules::trimmed")]
    #[validate(length(min = 1, max = 200), custom(function = rules::one_line))]
    #[schema(example = "1 High Street", min_length = 1, max_length = 200)]
    line1: String,
    /// More of it.
    #[serde(default, deserialize_with = "rules::trimmed_or_none")]
    #[validate(length(max = 200), custom(function = rules::one_line))]
    #[schema(max_length = 200)]
    line2: Option<String>,
    /// City.
    #[serde(deserialize_with = "rules::trimmed")]
    #[validate(length(min = 1, max = 100), custom(function = rules::one_line))]
    #[schema(example = "Leeds", min_length = 1, max_length = 100)]
    city: String,
    /// Postal code.
    #[serde(deserialize_with = "rules::trimmed")]
    #[validate(length(min = 1, max = 20), custom(function = rules::one_line))]
    #[schema(example = "LS1 1AA", min_length = 1, max_length = 20)]
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[validate(custom(function = rules::country))]
    #[schema(example = "GB", min_length = 2, max_length = 2)]
    country: String,
}

/// Why an order is called off.
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelOrder)]
pub(crate) struct CancelBody {
    /// In one's own words.
    #[serde(default, deserialize_with = "rules::trimmed_option")]
    #[validate(length(min = 1, max = 500), custom(function = rules::one_line))]
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: Option<String>,
}

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Of this status only.
    pub(crate) status: Option<Status>,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderBody {
    id: OrderId,
    user_id: UserId,
    status: Status,
    items: Vec<LineBody>,
    total: Money,
    shipping_address: AddressBody,
    /// Null until there is one.
    #[schema(required)]
    payment: Option<PaymentBody>,
    /// Null until there is one.
    #[schema(required)]
    shipment: Option<ShipmentBody>,
    /// Null unless it is cancelled.
    #[schema(required)]
    cancellation: Option<Cancellation>,
    /// What may be done with it as it stands.
    allowed_actions: Vec<AllowedAction>,
    /// Rises with each change; the `ETag` shows it, too.
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A line of an order, at the price of its day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderLine)]
struct LineBody {
    product_id: ProductId,
    sku: String,
    name: String,
    quantity: u32,
    unit_price: Money,
    line_total: Money,
}

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderPayment)]
struct PaymentBody {
    id: PaymentId,
    /// As `GET /payments/{id}` shows it.
    #[schema(schema_with = payment_statuses)]
    status: String,
}

/// The shipment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderShipment)]
struct ShipmentBody {
    id: ShipmentId,
    /// As `GET /shipments/{id}` shows it.
    #[schema(schema_with = shipment_statuses)]
    status: String,
    #[schema(required)]
    tracking_number: Option<String>,
}

/// Everything that happened to an order, in causal order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Timeline)]
pub(crate) struct TimelineBody {
    pub(crate) items: Vec<Item>,
}

/// The names are those of the contexts that the statuses come from.
fn payment_statuses() -> Schema {
    one_of([
        "pending",
        "queued",
        "unknown",
        "completed",
        "failed",
        "partially_refunded",
        "refunded",
    ])
}

fn shipment_statuses() -> Schema {
    one_of(["scheduled", "in_transit", "delivered", "cancelled"])
}

/// An order as an answer that an idempotency key can replay.
pub(crate) fn created(order: &Order) -> Answer {
    Answer::json(StatusCode::CREATED, &OrderBody::from(order.clone()))
        .located(&format!("/api/v1/orders/{}", order.id))
        .tagged(Version(order.version))
}

/// An order as an answer to a command upon it.
pub(crate) fn changed(order: &Order) -> Answer {
    Answer::json(StatusCode::OK, &OrderBody::from(order.clone())).tagged(Version(order.version))
}

impl From<Order> for OrderBody {
    fn from(order: Order) -> Self {
        let allowed_actions = order.allowed_actions();
        let cancelled = order.status == Status::Cancelled;
        Self {
            id: order.id,
            user_id: order.user_id,
            status: order.status,
            items: order.lines.into_iter().map(LineBody::from).collect(),
            total: order.total,
            shipping_address: order.shipping_address.into(),
            payment: order.payment.map(PaymentBody::from),
            shipment: order.shipment.map(ShipmentBody::from),
            cancellation: order.cancellation.filter(|_| cancelled),
            allowed_actions,
            version: order.version,
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }
}

impl From<Line> for LineBody {
    fn from(line: Line) -> Self {
        Self {
            product_id: line.product_id,
            sku: line.sku,
            name: line.name,
            quantity: line.quantity,
            unit_price: line.unit_price,
            line_total: line.line_total,
        }
    }
}

impl From<PaymentOfOrder> for PaymentBody {
    fn from(payment: PaymentOfOrder) -> Self {
        Self {
            id: payment.id,
            status: payment.status,
        }
    }
}

impl From<ShipmentOfOrder> for ShipmentBody {
    fn from(shipment: ShipmentOfOrder) -> Self {
        Self {
            id: shipment.id,
            status: shipment.status,
            tracking_number: shipment.tracking_number,
        }
    }
}

impl From<Address> for AddressBody {
    fn from(address: Address) -> Self {
        Self {
            name: address.name,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            postal_code: address.postal_code,
            country: address.country,
        }
    }
}

impl From<AddressBody> for Address {
    fn from(body: AddressBody) -> Self {
        Self {
            name: body.name,
            line1: body.line1,
            line2: body.line2,
            city: body.city,
            postal_code: body.postal_code,
            country: body.country,
        }
    }
}
