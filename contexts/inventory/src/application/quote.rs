//! Prices and availability of many products, in one statement.

use cleave_inventory_contract::port::{GetQuote, Quote};
use cleave_store::{StoreError, Tx, UnitError};

use super::Inventory;
use crate::persistence;

/// What is known of the products asked for.
pub(crate) async fn quote(inventory: &Inventory, asked: GetQuote) -> Result<Quote, StoreError> {
    let products = inventory
        .store
        .read(async move |tx: &Tx| Ok(persistence::quote(tx, &asked.product_ids).await?))
        .await
        .map_err(UnitError::into_store_error)?;
    Ok(Quote { products })
}
