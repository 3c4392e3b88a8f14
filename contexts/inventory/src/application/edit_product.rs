//! Changes a product's own fields. Stock is not among them.

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::ProductId;

use super::Inventory;
use crate::domain::{Product, ProductChanges, StockLevel};
use crate::persistence;

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EditRefusal {
    /// There is no such product.
    UnknownProduct,
    /// It is not in the version that the change was made for.
    VersionConflict,
}

/// Changes it, where `expected` holds for its version.
pub(crate) async fn edit_product(
    inventory: &Inventory,
    id: ProductId,
    changes: ProductChanges,
    expected: impl Fn(i64) -> bool + Send + 'static,
) -> Unit<(Product, StockLevel), EditRefusal> {
    let at = inventory.clock.now();
    inventory
        .store
        .write(async move |tx: &Tx| {
            let (product, level) = persistence::find_product(tx, id)
                .await?
                .ok_or(UnitError::Refused(EditRefusal::UnknownProduct))?;
            if !expected(product.version) {
                return Err(UnitError::Refused(EditRefusal::VersionConflict));
            }
            let next = product.changed(&changes, at);
            if next != product && !persistence::update_product(tx, &next, product.version).await? {
                return Err(UnitError::Refused(EditRefusal::VersionConflict));
            }
            Ok((next, level))
        })
        .await
}
