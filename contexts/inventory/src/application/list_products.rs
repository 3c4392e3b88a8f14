//! The catalogue, newest first, or what a search finds in it.

use cleave_store::{StoreError, Tx, UnitError};
use cleave_vocabulary::ProductId;

use super::Inventory;
use crate::domain::{Product, StockLevel};
use crate::persistence;

/// Which products.
#[derive(Debug, Clone)]
pub(crate) struct ListProducts {
    /// In sku or name, whatever the case; everything where there is none.
    pub(crate) search: Option<String>,
    /// Older than this one.
    pub(crate) before: Option<ProductId>,
    /// At most so many.
    pub(crate) limit: u64,
}

/// The products asked for.
pub(crate) async fn list_products(
    inventory: &Inventory,
    asked: ListProducts,
) -> Result<Vec<(Product, StockLevel)>, StoreError> {
    inventory
        .store
        .read(async move |tx: &Tx| {
            let search = asked.search.as_deref();
            Ok(persistence::list_products(tx, search, asked.before, asked.limit).await?)
        })
        .await
        .map_err(UnitError::into_store_error)
}
