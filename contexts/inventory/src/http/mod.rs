//! The public API of the inventory context: extract, call, convert.

mod bodies;
mod problems;
mod products;
mod stock;
mod tags;
mod views;

use cleave_web::Idempotency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::Inventory;

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) inventory: Inventory,
    pub(crate) idempotency: Idempotency,
}

/// The routes with their document.
pub(crate) fn router(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(products::list, products::create))
        .routes(routes!(products::find, products::edit))
        .routes(routes!(stock::find))
        .routes(routes!(stock::adjust))
        .routes(routes!(stock::check))
        .with_state(api)
}
