//! The inventory context: the catalogue, its stock, and what is held of it for
//! orders. Stock that is reserved can't be sold twice; a reservation ends taken,
//! released, or expired, and nothing else.

mod application;
mod context;
mod domain;
mod http;
mod persistence;
mod port;
mod settings;

pub use application::{ImportError, Imported, ProductRow};
pub use context::{Catalogue, Deps, InventoryContext, build};
pub use domain::Rule;
pub use settings::InventorySettings;
