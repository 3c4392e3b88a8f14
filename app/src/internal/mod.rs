//! What the other processes of a deployment reach, on an address of its own
//! (`internal.listen`) that no client sees: the ports of the contexts that are
//! here, their public routes for gateways elsewhere, and how they stand. Every
//! call shows a service token; a request that is passed on for a client also
//! shows the client's, which is verified here again.

mod document;
mod lock;
mod oneself;
mod standing;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use cleave_hosting::Context;
use cleave_web::{Problem, ServiceVerifier};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

use crate::audit::{LocalAudit, port};
use crate::gateway::{self, Parts};
use crate::host::{Readiness, health};
use crate::topology::{CONTEXTS, GATEWAY, service_of};
use lock::Lock;

pub use lock::SERVICE_TOKEN;
pub use oneself::{ASKER, is_oneself};
pub use standing::{DOCUMENT, STANDING, Standing};

/// Everything that other processes may ask of this one. `ops` are the operators'
/// routes over its own contexts alone.
pub fn router(
    contexts: &[Context],
    ops: OpenApiRouter,
    readiness: Readiness,
    services: &ServiceVerifier,
    parts: &Parts,
) -> Router {
    let mut ports = Router::new();
    for name in CONTEXTS {
        ports = match contexts.iter().find(|context| context.name == name) {
            Some(context) => {
                let lock = Lock::new(services, name);
                let own = context.internal.clone();
                ports.merge(own.layer(from_fn_with_state(lock, lock::authorization)))
            }
            None => ports.merge(not_here(name)),
        };
    }
    let (mut ops, mut told) = (ops, standing::routes(readiness.clone()));
    if let Some(name) = parts.others.own_name() {
        let oneself = from_fn_with_state(name.clone(), oneself::told);
        (ops, told) = (ops.layer(oneself.clone()), told.layer(oneself));
    }
    let apis = contexts.iter().map(|context| context.api.clone());
    let api = apis.fold(OpenApiRouter::default().merge(ops), OpenApiRouter::merge);
    let (public, operations) = api.split_for_parts();
    let absent = CONTEXTS
        .iter()
        .filter(|name| !contexts.iter().any(|it| it.name == **name));
    let public = absent.fold(public, |public, name| public.merge(not_served(name)));
    let told = told.merge(standing::document(operations));
    let forwarded = Lock::new(services, GATEWAY);
    let locked = from_fn_with_state(forwarded, lock::service_header);
    let public = gateway::behind_inner_door(public, parts).layer(locked.clone());
    // What matches nothing passes the public routes' layers, as it does at the front.
    let audit = Arc::new(LocalAudit::over(contexts));
    let lock = Lock::new(services, GATEWAY);
    let audit = port::routes(audit, parts.clock.clone())
        .layer(from_fn_with_state(lock, lock::authorization));
    ports
        .merge(audit)
        .merge(told.layer(locked))
        .merge(health(readiness))
        .route("/internal/v1/openapi.json", get(document::show))
        .fallback_service(public)
}

/// A caller that looks for a context here has the wrong address.
fn not_here(context: &'static str) -> Router {
    let refuse = async move || not_hosted(StatusCode::NOT_FOUND, context);
    let path = format!("/internal/v1/{context}/{{operation}}");
    Router::new().route(&path, any(refuse))
}

/// The same for a gateway, which must tell it from what a context does not find.
fn not_served(context: &'static str) -> Router {
    let refuse = async move || not_hosted(StatusCode::MISDIRECTED_REQUEST, context);
    let service = service_of(context);
    Router::new()
        .route(&format!("/api/v1/{service}"), any(refuse))
        .route(&format!("/api/v1/{service}/{{*rest}}"), any(refuse))
}

fn not_hosted(status: StatusCode, context: &str) -> Problem {
    let detail = format!(
        "The context {context} is not in this process: topology.{context} names the wrong address."
    );
    Problem::new(status, "not_hosted", detail)
}
