//! Corrects the count of what is on the shelf, and keeps who did it and why.

use cleave_messaging::Outbox;
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, ProductId, UserId};

use super::Parts;
use super::low_stock::{Moved, low_stock};
use crate::domain::{AdjustRefusal, Movement, StockLevel};
use crate::persistence::{self, Adjustment};

/// A correction.
#[derive(Debug, Clone)]
pub(crate) struct AdjustStock {
    /// Of which product.
    pub(crate) product: ProductId,
    /// How many more; fewer where negative.
    pub(crate) delta: i64,
    /// Why.
    pub(crate) reason: String,
    /// Who says so.
    pub(crate) by: UserId,
}

/// Corrects it within the caller's unit of work.
pub(crate) async fn adjust_stock(
    tx: &Tx,
    inventory: &Parts,
    call: &CallContext,
    adjust: &AdjustStock,
) -> Unit<StockLevel, AdjustRefusal> {
    let before = persistence::stock_of(tx, adjust.product)
        .await?
        .ok_or(UnitError::Refused(AdjustRefusal::UnknownProduct))?;
    let after = before.adjusted(adjust.delta).map_err(UnitError::Refused)?;
    let movement = Movement {
        product: adjust.product,
        on_hand: adjust.delta,
        reserved: 0,
    };
    let moved = persistence::hold(tx, &[movement]).await?;
    let Some(available) = moved.get(&adjust.product).copied() else {
        // Another unit of work reserved in between.
        let available = before.available();
        return Err(UnitError::Refused(AdjustRefusal::Insufficient {
            available,
        }));
    };
    let record = Adjustment {
        id: inventory.ids.uuid(),
        product: adjust.product,
        delta: adjust.delta,
        reason: adjust.reason.clone(),
        by: adjust.by,
        on_hand_after: after.on_hand,
        at: inventory.clock.now(),
    };
    persistence::record_adjustment(tx, record).await?;
    let moved = Moved {
        product: adjust.product,
        available,
        change: adjust.delta,
    };
    let events = low_stock(tx, inventory, call, std::iter::once(moved)).await?;
    Outbox::append(tx, &events).await?;
    Ok(after)
}
