//! Brings a catalogue in, many products to a statement. Skus that exist are
//! left as they are, so that an import can be repeated.

use std::collections::HashSet;

use cleave_store::{StoreError, Tx, UnitError};
use cleave_vocabulary::Money;

use super::Inventory;
use crate::domain::{NewProduct, OnHand, Price, Product, ProductName, Rule, Sku};
use crate::persistence;

/// Products in one unit of work.
const BATCH: usize = 500;

/// A product to bring in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRow {
    /// 1 to 64 visible ASCII characters.
    pub sku: String,
    /// 1 to 200 characters.
    pub name: String,
    /// What one piece costs.
    pub price: Money,
    /// How many there are.
    pub on_hand: i64,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Products that are new.
    pub inserted: u64,
    /// Rows whose sku was there already.
    pub skipped: u64,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A row breaks a rule; nothing was imported.
    #[error("row {row}: {field} {rule}")]
    Row {
        /// Which row, from 1.
        row: usize,
        /// Which of its fields.
        field: &'static str,
        /// Which rule.
        rule: Rule,
    },
    /// The store failed; what came before is in the catalogue.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings in what is new, in the order of the rows; of two rows with one sku,
/// the first.
pub(crate) async fn import_products(
    inventory: &Inventory,
    rows: &[ProductRow],
) -> Result<Imported, ImportError> {
    let mut seen = HashSet::with_capacity(rows.len());
    let mut products = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let new = parse(row).map_err(|(field, rule)| ImportError::Row {
            row: index + 1,
            field,
            rule,
        })?;
        if seen.insert(row.sku.as_str()) {
            let product = Product::new(inventory.ids.next(), &new, inventory.clock.now());
            products.push((product, new.on_hand.count()));
        }
    }
    let mut inserted = 0;
    for batch in products.chunks(BATCH) {
        let batch = batch.to_vec();
        inserted += inventory
            .store
            .write(async move |tx: &Tx| Ok(persistence::import(tx, &batch).await?))
            .await
            .map_err(UnitError::into_store_error)?;
    }
    Ok(Imported {
        inserted,
        skipped: rows.len() as u64 - inserted,
    })
}

fn parse(row: &ProductRow) -> Result<NewProduct, (&'static str, Rule)> {
    Ok(NewProduct {
        sku: Sku::parse(&row.sku).map_err(|rule| ("sku", rule))?,
        name: ProductName::parse(&row.name).map_err(|rule| ("name", rule))?,
        description: None,
        price: Price::parse(row.price).map_err(|rule| ("price", rule))?,
        on_hand: OnHand::parse(row.on_hand).map_err(|rule| ("on_hand", rule))?,
    })
}
