//! Every count that a person corrected, and why.

use cleave_store::Tx;
use cleave_vocabulary::{ProductId, Timestamp, UserId};
use sea_orm::{DbErr, EntityTrait, Set};
use uuid::Uuid;

use super::entities::adjustment;

/// A corrected count.
#[derive(Debug, Clone)]
pub(crate) struct Adjustment {
    pub(crate) id: Uuid,
    pub(crate) product: ProductId,
    pub(crate) delta: i64,
    pub(crate) reason: String,
    pub(crate) by: UserId,
    pub(crate) on_hand_after: i64,
    pub(crate) at: Timestamp,
}

/// Keeps it.
pub(crate) async fn record_adjustment(tx: &Tx, adjustment: Adjustment) -> Result<(), DbErr> {
    let row = adjustment::ActiveModel {
        id: Set(adjustment.id),
        product_id: Set(adjustment.product.uuid()),
        delta: Set(adjustment.delta),
        reason: Set(adjustment.reason),
        adjusted_by: Set(adjustment.by.uuid()),
        on_hand_after: Set(adjustment.on_hand_after),
        created_at: Set(adjustment.at.as_micros()),
    };
    adjustment::Entity::insert(row)
        .exec_without_returning(tx)
        .await
        .map(drop)
}
