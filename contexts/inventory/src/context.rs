//! The context as a value: built from what it needs, it gives what it offers.

use std::sync::Arc;

use cleave_hosting::{Context, Needs, Task};
use cleave_inventory_contract::port::{InventoryPort, routes};
use cleave_messaging::DeadLetters;

use crate::application::{
    self as app, ImportError, Imported, Inventory, ProductRow, StockAuditor, expire_reservations,
};
use crate::http::{self, Api};
use crate::port::LocalPort;
use crate::settings::InventorySettings;

/// What the context is built from. It calls no other context.
pub struct Deps {
    /// What every context needs.
    pub needs: Needs,
    /// The settings of `inventory`.
    pub settings: InventorySettings,
}

/// What the context offers.
pub struct InventoryContext {
    /// Routes, tasks, health and audit, for the host.
    pub context: Context,
    /// Stock and catalogue, for other contexts in this process.
    pub port: Arc<dyn InventoryPort>,
    /// Brings products in.
    pub catalogue: Catalogue,
}

/// Brings products into the catalogue, for the command line.
#[derive(Clone)]
pub struct Catalogue(Inventory);

impl Catalogue {
    /// Adds the products whose skus are not there yet. Nothing is added where a
    /// row breaks a rule.
    pub async fn import_products(&self, rows: &[ProductRow]) -> Result<Imported, ImportError> {
        app::import_products(&self.0, rows).await
    }
}

/// Builds the context.
pub fn build(deps: Deps) -> InventoryContext {
    let Deps { needs, settings } = deps;
    let inventory = Inventory::new(&needs, settings);
    let port: Arc<dyn InventoryPort> = Arc::new(LocalPort(inventory.clone()));
    let api = Api {
        inventory: inventory.clone(),
        idempotency: needs.idempotency(),
    };
    let expiring = inventory.clone();
    let expire = move |stop| expire_reservations(expiring, stop);
    let context = Context {
        name: "inventory",
        api: http::router(api),
        internal: routes(port.clone(), needs.clock.clone()),
        handlers: vec![],
        tasks: vec![Task::new("expire_reservations", expire)],
        dead_letters: DeadLetters::new(needs.store.clone()),
        store: needs.store,
        guards: vec![],
        sagas: None,
        auditor: Arc::new(StockAuditor(inventory.clone())),
    };
    InventoryContext {
        context,
        port,
        catalogue: Catalogue(inventory),
    }
}
