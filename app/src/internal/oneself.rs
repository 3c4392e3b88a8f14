//! A process among its replicas knows their addresses, and not which of them is its
//! own. Whoever asks them all says his name; a process that hears its own says so
//! instead of doing twice what it does anyway.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cleave_web::Problem;
use http::{HeaderName, HeaderValue, StatusCode};

/// Carries the name.
pub const ASKER: HeaderName = HeaderName::from_static("cleave-asker");

/// Middleware around what replicas ask each other for.
pub(super) async fn told(State(own): State<HeaderValue>, request: Request, next: Next) -> Response {
    if request.headers().get(ASKER) == Some(&own) {
        let detail = "This process has asked itself.";
        return Problem::new(StatusCode::LOOP_DETECTED, "oneself", detail).into_response();
    }
    next.run(request).await
}

/// Whether who answers with this is who asked.
pub fn is_oneself(status: StatusCode) -> bool {
    status == StatusCode::LOOP_DETECTED
}
