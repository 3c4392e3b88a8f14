//! What clients see.

use cleave_vocabulary::{Money, ProductId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::application::Availability;
use crate::domain::{Product, StockLevel};

/// A product of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(super) struct ProductView {
    /// Its id.
    pub(super) id: ProductId,
    /// Its stock-keeping unit.
    sku: String,
    /// What it is called.
    name: String,
    /// More about it.
    #[schema(required = true)]
    description: Option<String>,
    /// What one piece costs.
    price: Money,
    /// On hand and not reserved.
    available: i64,
    /// Counts the changes of its own fields; stock moves without it.
    version: i64,
    /// When it came into the catalogue.
    created_at: Timestamp,
    /// When its own fields last changed.
    updated_at: Timestamp,
}

impl From<(Product, StockLevel)> for ProductView {
    fn from((product, level): (Product, StockLevel)) -> Self {
        Self {
            id: product.id,
            sku: product.sku,
            name: product.name,
            description: product.description,
            price: product.price,
            available: level.available(),
            version: product.version,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}

/// The stock of a product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stock)]
pub(super) struct StockView {
    /// Which product.
    product_id: ProductId,
    /// Units on the shelf.
    on_hand: i64,
    /// Units of them that are held for orders.
    reserved: i64,
    /// Units that can still be sold.
    available: i64,
}

impl StockView {
    pub(super) fn of(product_id: ProductId, level: StockLevel) -> Self {
        Self {
            product_id,
            on_hand: level.on_hand,
            reserved: level.reserved,
            available: level.available(),
        }
    }
}

/// Whether stock would suffice for an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Availability)]
pub(super) struct AvailabilityView {
    /// Whether each line would be sufficient.
    available: bool,
    /// One line for each product.
    items: Vec<AvailableItem>,
}

/// Whether stock would suffice for one product.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AvailableItem {
    /// Which product.
    product_id: ProductId,
    /// How many were asked for, over all lines.
    requested: u32,
    /// How many there are.
    available: i64,
    /// Whether they suffice.
    sufficient: bool,
}

impl From<Vec<Availability>> for AvailabilityView {
    fn from(checked: Vec<Availability>) -> Self {
        let items = checked.iter().map(|one| AvailableItem {
            product_id: one.product,
            requested: one.requested,
            available: one.available,
            sufficient: one.is_sufficient(),
        });
        Self {
            available: checked.iter().all(Availability::is_sufficient),
            items: items.collect(),
        }
    }
}
