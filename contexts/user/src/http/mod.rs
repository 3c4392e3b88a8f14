//! `/api/v1/users`: extract, call, convert.

mod accounts;
mod bodies;
mod me;
mod problems;
mod rules;
mod sessions;
mod views;

use std::sync::Arc;

use axum::extract::FromRef;
use cleave_web::Idempotency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::Services;

/// What the handlers are given.
#[derive(Clone)]
struct App {
    services: Arc<Services>,
    idempotency: Idempotency,
}

impl FromRef<App> for Arc<Services> {
    fn from_ref(app: &App) -> Self {
        app.services.clone()
    }
}

/// The routes, with their document.
pub(crate) fn api(services: Arc<Services>, idempotency: Idempotency) -> OpenApiRouter {
    OpenApiRouter::default()
        .routes(routes!(accounts::register, accounts::list_users))
        .routes(routes!(accounts::get_user))
        .routes(routes!(me::get_me, me::update_me))
        .routes(routes!(sessions::sign_in, sessions::sign_out))
        .routes(routes!(sessions::refresh))
        .with_state(App {
            services,
            idempotency,
        })
}
