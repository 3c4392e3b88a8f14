//! `GET /api/openapi.json`, and a page over it at `GET /docs` that needs no network.

use std::future::ready;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

const DOCUMENT: &str = "/api/openapi.json";

/// The page runs its own scripts, sets styles on its elements, shows icons out
/// of its style sheet, and talks to this API alone.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// Both addresses.
pub(super) fn docs(document: &OpenApi) -> Router {
    let json = Bytes::from(document.to_json().unwrap_or_default());
    let config = Config::from(DOCUMENT)
        .validator_url("none")
        .persist_authorization(true)
        .display_operation_id(true)
        .deep_linking(true);
    let page: Router = SwaggerUi::new("/docs").config(config).into();
    Router::new()
        .merge(page.layer(from_fn(with_policy)))
        .route(DOCUMENT, get(move || ready(show(json.clone()))))
}

fn show(json: Bytes) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, json)
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response
}
