//! Says that a product runs low, at the moment when it does: what is available
//! crosses the threshold downwards.

use cleave_inventory_contract::events::StockLow;
use cleave_store::Tx;
use cleave_vocabulary::{CallContext, Envelope, ProductId};
use sea_orm::DbErr;

use super::Parts;
use crate::domain::crosses_downwards;
use crate::persistence;

/// What moved: the product, what is available of it now, and by how much that changed.
pub(super) struct Moved {
    pub(super) product: ProductId,
    pub(super) available: i64,
    pub(super) change: i64,
}

/// The events for those among `moved` that run low just now; mostly none, and
/// then at no cost.
pub(super) async fn low_stock(
    tx: &Tx,
    inventory: &Parts,
    call: &CallContext,
    moved: impl Iterator<Item = Moved>,
) -> Result<Vec<Envelope>, DbErr> {
    let threshold = inventory.settings.low_stock_threshold;
    let low: Vec<Moved> = moved
        .filter(|one| crosses_downwards(one.available, one.change, threshold))
        .collect();
    if low.is_empty() {
        return Ok(vec![]);
    }
    let mut skus = persistence::skus(tx, low.iter().map(|one| one.product)).await?;
    let told = low.into_iter().map(|one| {
        let event = StockLow {
            product_id: one.product,
            sku: skus.remove(&one.product).unwrap_or_default(),
            available: one.available,
            threshold,
        };
        inventory.events.event(call, &event)
    });
    Ok(told.collect())
}
