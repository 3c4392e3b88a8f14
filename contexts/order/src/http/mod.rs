//! The public API of orders: extract, call, convert.

mod cancel;
mod dto;
mod events;
mod place;
mod prefer;
mod problems;
mod read;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::Orders;

/// The routes, from the root.
pub(crate) fn routes(orders: Arc<Orders>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(place::place_order, read::list_orders))
        .routes(routes!(read::get_order))
        .routes(routes!(cancel::cancel_order))
        .routes(routes!(read::get_timeline))
        .routes(routes!(events::follow_order))
        .with_state(orders)
}
