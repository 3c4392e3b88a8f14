//! Adds a product to the catalogue, with its first stock.

use cleave_store::{Tx, Unit, UnitError};

use super::Parts;
use crate::domain::{NewProduct, Product, StockLevel};
use crate::persistence;

/// Another product has the sku.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SkuTaken;

/// Adds it within the caller's unit of work.
pub(crate) async fn create_product(
    tx: &Tx,
    inventory: &Parts,
    new: &NewProduct,
) -> Unit<(Product, StockLevel), SkuTaken> {
    let product = Product::new(inventory.ids.next(), new, inventory.clock.now());
    if !persistence::insert_product(tx, &product).await? {
        return Err(UnitError::Refused(SkuTaken));
    }
    let on_hand = new.on_hand.count();
    persistence::insert_stock(tx, product.id, on_hand).await?;
    let level = StockLevel {
        on_hand,
        reserved: 0,
    };
    Ok((product, level))
}
