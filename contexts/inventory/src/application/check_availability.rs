//! Whether stock would suffice, at this moment; nothing is held.

use std::collections::HashMap;
use std::convert::Infallible;

use cleave_inventory_contract::port::StockLine;
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::ProductId;

use super::Inventory;
use crate::domain::Lines;
use crate::persistence;

/// What there is of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Availability {
    pub(crate) product: ProductId,
    pub(crate) requested: u32,
    pub(crate) available: i64,
}

impl Availability {
    /// Whether it suffices.
    pub(crate) fn is_sufficient(&self) -> bool {
        i64::from(self.requested) <= self.available
    }
}

/// Why it could not be said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AvailabilityRefusal {
    /// No order can mean these lines.
    InvalidLines,
    /// There is no such product.
    UnknownProducts(Vec<ProductId>),
}

/// Looks at each product once, with its lines summed, in the order asked.
pub(crate) async fn check_availability(
    inventory: &Inventory,
    asked: &[StockLine],
) -> Unit<Vec<Availability>, AvailabilityRefusal> {
    let lines =
        Lines::sum(asked).map_err(|_| UnitError::Refused(AvailabilityRefusal::InvalidLines))?;
    let products: Vec<ProductId> = lines.iter().map(|(product, _)| product).collect();
    let levels = inventory
        .store
        .read(async move |tx: &Tx| Ok(persistence::levels(tx, products.iter().copied()).await?))
        .await
        .map_err(|error: UnitError<Infallible>| error.map_refusal(|never| match never {}))?;
    let mut requested: HashMap<ProductId, u32> = lines.iter().collect();
    let (mut checked, mut unknown) = (vec![], vec![]);
    for line in asked {
        let product = line.product_id;
        let Some(requested) = requested.remove(&product) else {
            continue;
        };
        match levels.get(&product) {
            Some(level) => checked.push(Availability {
                product,
                requested,
                available: level.available(),
            }),
            None => unknown.push(product),
        }
    }
    if unknown.is_empty() {
        Ok(checked)
    } else {
        let refusal = AvailabilityRefusal::UnknownProducts(unknown);
        Err(UnitError::Refused(refusal))
    }
}
