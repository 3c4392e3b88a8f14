//! `GET /api/openapi.json`, and a page over it at `GET /docs` that needs no
//! network. Where contexts run elsewhere, their processes are asked for their
//! parts of the document each time; it says which did not answer.

use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::document::document;
use super::others::Others;

const DOCUMENT: &str = "/api/openapi.json";

/// The page runs its own scripts, sets styles on its elements, shows icons out
/// of its style sheet, and talks to this API alone.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// Both addresses, over the operations of this process and of the others.
pub(super) fn docs(operations: OpenApi, others: &Others) -> Router {
    let config = Config::from(DOCUMENT)
        .validator_url("none")
        .persist_authorization(true)
        .display_operation_id(true)
        .deep_linking(true);
    let page: Router = SwaggerUi::new("/docs").config(config).into();
    Router::new()
        .merge(page.layer(from_fn(with_policy)))
        .merge(shown(operations, others))
}

fn shown(operations: OpenApi, others: &Others) -> Router {
    if others.iter().next().is_none() {
        let json = Bytes::from(document(operations).to_json().unwrap_or_default());
        return Router::new().route(DOCUMENT, get(move || ready(show(json.clone()))));
    }
    let (operations, others) = (Arc::new(operations), others.clone());
    let gathered = async move || {
        let whole = whole((*operations).clone(), &others).await;
        show(Bytes::from(whole.to_json().unwrap_or_default()))
    };
    Router::new().route(DOCUMENT, get(gathered))
}

/// The document of all processes.
async fn whole(mut operations: OpenApi, others: &Others) -> OpenApi {
    let mut unanswered = Vec::new();
    for (process, theirs) in others.operations().await {
        match theirs {
            Some(theirs) => operations.merge(theirs),
            None => unanswered.extend_from_slice(&process.contexts),
        }
    }
    let mut whole = document(operations);
    if !unanswered.is_empty() {
        let said = ExtensionsBuilder::new().add("x-unanswered", unanswered);
        whole.extensions = Some(said.build());
    }
    whole
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
