//! Gives back what was held for too long. The durable timer is the row itself:
//! this looks for rows whose time is over, sleeps until the next one's, and
//! after a restart finds what lapsed meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use cleave_messaging::Outbox;
use cleave_store::{StoreError, Tx, UnitError};
use cleave_vocabulary::{CallContext, ProductId, Timestamp};
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use super::meters::count_reservations;
use super::release_stock::released_event;
use super::{Inventory, Parts};
use crate::domain::{Movement, Transition};
use crate::persistence::{self, Settled};

/// Reservations that expire in one unit of work, so that orders get their turn
/// between.
const BATCH: i64 = 64;
/// The wait after the store failed, or behind those who are about what is due.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until `stop`; then the batch that it has begun is committed.
pub(crate) async fn expire_reservations(inventory: Inventory, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let wake = match expire_due(&inventory).await {
            Ok(wake) => wake,
            Err(error) => {
                tracing::warn!(%error, "reservations could not be expired; trying again");
                inventory.clock.now().plus(PAUSE)
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = inventory.clock.sleep_until(wake) => {}
        }
    }
}

/// Expires what is due; answers when to look again. What is held from now on
/// lapses a whole time to live later at the earliest.
async fn expire_due(inventory: &Inventory) -> Result<Timestamp, StoreError> {
    let now = inventory.clock.now();
    let latest = now.plus(inventory.settings.reservation_ttl);
    let next = next_expiry(inventory).await?;
    match next {
        Some(next) if next <= now => {
            let expired = expire_batch(inventory, now).await?;
            // Those that are due are in somebody else's hands.
            Ok(if expired == 0 { now.plus(PAUSE) } else { now })
        }
        Some(next) => Ok(next.min(latest)),
        None => Ok(latest),
    }
}

async fn next_expiry(inventory: &Inventory) -> Result<Option<Timestamp>, StoreError> {
    inventory
        .store
        .read(async |tx: &Tx| Ok(persistence::next_expiry(tx).await?))
        .await
        .map_err(UnitError::into_store_error)
}

async fn expire_batch(inventory: &Inventory, now: Timestamp) -> Result<usize, StoreError> {
    let parts = inventory.clone();
    inventory
        .store
        .write(async move |tx: &Tx| Ok(expire(tx, &parts, now).await?))
        .await
        .map_err(UnitError::into_store_error)
}

async fn expire(tx: &Tx, inventory: &Parts, now: Timestamp) -> Result<usize, DbErr> {
    let expired = persistence::expire_due(tx, now, BATCH).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    persistence::shift(tx, &movements(&expired)).await?;
    let events: Vec<_> = expired
        .iter()
        .filter_map(|settled| {
            let call = CallContext::of(settled.correlation.clone());
            released_event(inventory, &call, Transition::Expire, settled)
        })
        .collect();
    count_reservations(tx, Transition::Expire.to(), expired.len() as u64);
    Outbox::append(tx, &events).await?;
    Ok(expired.len())
}

/// One movement for each product, however many reservations held it.
fn movements(expired: &[Settled]) -> Vec<Movement> {
    let mut sums: BTreeMap<ProductId, Movement> = BTreeMap::new();
    let lines = expired.iter().flat_map(|settled| settled.lines.iter());
    for movement in lines.map(|line| Transition::Expire.movement(line)) {
        sums.entry(movement.product)
            .and_modify(|sum| {
                sum.on_hand += movement.on_hand;
                sum.reserved += movement.reserved;
            })
            .or_insert(movement);
    }
    sums.into_values().collect()
}
