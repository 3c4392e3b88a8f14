//! The context's invariants, counted over the live data.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_store::{Store, StoreError, Tx, UnitError};
use cleave_vocabulary::{OrderId, ProductId};
use sea_orm::DbErr;
use uuid::Uuid;

use super::Inventory;
use crate::domain::{State, StockLevel};
use crate::persistence;
use crate::port::query_failure;

/// Rows read at a time.
const PAGE: u32 = 1000;
/// Reservations counted at a time.
const SLICE: i64 = 10_000;

/// Counts the invariants of stock. Its memory grows with the number of products
/// that are reserved at that moment, and not with the number of orders.
pub(crate) struct StockAuditor(pub(crate) Inventory);

#[async_trait]
impl Auditor for StockAuditor {
    async fn count(&self, seen: &Seen) -> Audited {
        let store = &self.0.store;
        // Stock and what is held of it move together: both are of one snapshot.
        let mut checks = store
            .read(async |tx: &Tx| Ok(compare(tx).await?))
            .await
            .map_err(UnitError::into_store_error)
            .map_err(query_failure)?;
        let known = known_states(store, seen).await;
        checks.push(known.map_err(query_failure)?);
        Ok(checks)
    }
}

async fn compare(tx: &Tx) -> Result<Vec<AuditCheck>, DbErr> {
    let mut live = sum_live(tx).await?;
    let mut sound = AuditCheck::named("stock_is_never_oversold");
    let mut matched = AuditCheck::named("reserved_is_the_sum_of_live_reservations");
    let mut after = None;
    loop {
        let page = persistence::levels_behind(tx, after, PAGE.into()).await?;
        for (product, level) in &page {
            sound.see(product, (!level.is_sound()).then(|| unsound(*level)));
            let held = live.remove(product).unwrap_or(0);
            let differs = level.reserved != held;
            let told = || format!("reserved {}, live reservations {held}", level.reserved);
            matched.see(product, differs.then(told));
        }
        after = page.last().map(|(product, _)| *product);
        if page.len() < PAGE as usize {
            break;
        }
    }
    for (product, held) in live {
        let told = format!("live reservations {held} of a product without stock");
        matched.see(&product, Some(told));
    }
    Ok(vec![sound, matched])
}

/// What the live reservations hold of each product.
async fn sum_live(tx: &Tx) -> Result<BTreeMap<ProductId, i64>, DbErr> {
    let mut sums = BTreeMap::new();
    let mut after = (i64::MIN, Uuid::nil());
    loop {
        let page = persistence::live_lines(tx, after, PAGE.into()).await?;
        for (place, lines) in &page {
            after = *place;
            for (product, quantity) in lines.iter() {
                *sums.entry(product).or_default() += i64::from(quantity);
            }
        }
        if page.len() < PAGE as usize {
            return Ok(sums);
        }
    }
}

/// Looks at every reservation that there ever was. Whether a state is known
/// concerns its row alone, and so this goes slice by slice, each a snapshot of
/// its own: quotes get their turn between.
async fn known_states(store: &Store, seen: &Seen) -> Result<AuditCheck, StoreError> {
    let mut check = AuditCheck::named("reservations_are_in_a_known_state");
    let mut after = Some(OrderId::from_uuid(Uuid::nil()));
    while let Some(start) = after {
        let (counts, last) = store
            .read(async move |tx: &Tx| Ok(count_states(tx, start).await?))
            .await
            .map_err(UnitError::into_store_error)?;
        for (state, count) in counts {
            let count = u64::try_from(count).unwrap_or(0);
            check.checked += count;
            seen.add(usize::try_from(count).unwrap_or(0));
            if State::named(&state).is_none() {
                check.violated(&state, format!("{count} reservations in this state"));
            }
        }
        after = last;
    }
    Ok(check)
}

/// The states of one slice, and where the next begins.
async fn count_states(
    tx: &Tx,
    after: OrderId,
) -> Result<(Vec<(String, i64)>, Option<OrderId>), DbErr> {
    let last = persistence::order_at(tx, after, SLICE).await?;
    let end = last.unwrap_or(OrderId::from_uuid(Uuid::max()));
    let counts = persistence::count_by_state(tx, after, end).await?;
    Ok((counts, last))
}

fn unsound(level: StockLevel) -> String {
    format!("reserved {} of {} on hand", level.reserved, level.on_hand)
}
