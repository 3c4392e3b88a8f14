//! Where the reservations of orders stand.

use cleave_inventory_contract::port::{GetHoldings, Holdings};
use cleave_store::{StoreError, Tx, UnitError};

use super::Inventory;
use crate::persistence;

/// One holding for each of the orders that something was held for.
pub(crate) async fn holdings(
    inventory: &Inventory,
    asked: GetHoldings,
) -> Result<Holdings, StoreError> {
    let items = inventory
        .store
        .read(async move |tx: &Tx| Ok(persistence::holdings(tx, &asked.order_ids).await?))
        .await
        .map_err(UnitError::into_store_error)?;
    Ok(Holdings { items })
}
