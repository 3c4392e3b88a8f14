//! One product with its stock.

use cleave_store::{StoreError, Tx, UnitError};
use cleave_vocabulary::ProductId;

use super::Inventory;
use crate::domain::{Product, StockLevel};
use crate::persistence;

/// The product, where there is one of this id.
pub(crate) async fn find_product(
    inventory: &Inventory,
    id: ProductId,
) -> Result<Option<(Product, StockLevel)>, StoreError> {
    inventory
        .store
        .read(async move |tx: &Tx| Ok(persistence::find_product(tx, id).await?))
        .await
        .map_err(UnitError::into_store_error)
}
