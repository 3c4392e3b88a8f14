//! One use case to a file; each owns its transaction. Those that an event may
//! cause as well as a command are values with a `run` over a transaction that
//! is already there.

mod adjust_stock;
mod audit;
mod check_availability;
mod create_product;
mod edit_product;
mod expire_reservations;
mod find_product;
mod holdings;
mod import_products;
mod list_products;
mod low_stock;
mod meters;
mod quote;
mod release_stock;
mod reserve_outcome;
mod reserve_stock;
mod take_stock;

use std::sync::Arc;

use cleave_hosting::Needs;
use cleave_store::Store;
use cleave_vocabulary::{Clock, EventSource, IdSource, Refusal};

use crate::settings::InventorySettings;

pub(crate) use adjust_stock::{AdjustStock, adjust_stock};
pub(crate) use audit::StockAuditor;
pub(crate) use check_availability::{Availability, AvailabilityRefusal, check_availability};
pub(crate) use create_product::{SkuTaken, create_product};
pub(crate) use edit_product::{EditRefusal, edit_product};
pub(crate) use expire_reservations::expire_reservations;
pub(crate) use find_product::find_product;
pub(crate) use holdings::holdings;
pub(crate) use import_products::import_products;
pub use import_products::{ImportError, Imported, ProductRow};
pub(crate) use list_products::{ListProducts, list_products};
pub(crate) use quote::quote;
pub(crate) use release_stock::release_stock;
pub(crate) use reserve_outcome::reserve_outcome;
pub(crate) use reserve_stock::reserve_stock;
pub(crate) use take_stock::take_stock;

/// What every use case works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inventory(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) events: EventSource,
    pub(crate) settings: InventorySettings,
}

impl Inventory {
    pub(crate) fn new(needs: &Needs, settings: InventorySettings) -> Self {
        Self(Arc::new(Parts {
            store: needs.store.clone(),
            clock: needs.clock.clone(),
            ids: needs.ids.clone(),
            events: EventSource::new(
                "/contexts/inventory",
                needs.clock.clone(),
                needs.ids.clone(),
            ),
            settings,
        }))
    }
}

impl std::ops::Deref for Inventory {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// An answer that is kept: yes or no, its writes commit.
pub(crate) type Answer<T> = Result<T, Refusal>;
