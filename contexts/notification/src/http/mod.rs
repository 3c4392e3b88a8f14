//! `/api/v1/notifications`: extract, call, convert.

mod inbox;
mod problems;
mod views;

use std::sync::Arc;

use cleave_store::Store;
use cleave_vocabulary::Clock;
use cleave_web::Idempotency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the handlers are given.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) idempotency: Idempotency,
}

/// The routes, with their document.
pub(crate) fn api(app: App) -> OpenApiRouter {
    OpenApiRouter::default()
        .routes(routes!(inbox::list_notifications))
        .routes(routes!(inbox::read_notification))
        .with_state(app)
}
