//! The public API of payments: extract, call, convert.

mod dto;
mod problems;
mod read;
mod refund;

use cleave_web::Idempotency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::Payments;

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) payments: Payments,
    pub(crate) idempotency: Idempotency,
}

/// The routes, from the root.
pub(crate) fn routes(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(read::list_payments))
        .routes(routes!(read::get_payment))
        .routes(routes!(refund::refund_payment))
        .with_state(api)
}
