//! The public API of shipments: extract, call, convert.

mod dto;
mod moves;
mod problems;
mod read;

use cleave_web::Idempotency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::Shipping;

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) shipping: Shipping,
    pub(crate) idempotency: Idempotency,
}

/// The routes, from the root.
pub(crate) fn routes(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(read::list_shipments))
        .routes(routes!(read::get_shipment))
        .routes(routes!(moves::dispatch_shipment))
        .routes(routes!(moves::deliver_shipment))
        .with_state(api)
}
