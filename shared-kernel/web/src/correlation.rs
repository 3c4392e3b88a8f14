//! Correlation: taken from the request or made, echoed, and carried into every call.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use cleave_vocabulary::{CallContext, IdSource};
use http::request::Parts;

use crate::Problem;

/// The call context of a request, for the use case it calls: correlation,
/// trace, and the request's deadline.
#[derive(Debug, Clone)]
pub struct Call(pub CallContext);

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// Middleware, outermost: takes `X-Correlation-ID` and `traceparent` or makes
/// them, runs the request in a span that carries them, echoes the id, and
/// renders every [`Problem`] with it.
pub async fn correlate(ids: Arc<dyn IdSource>, request: Request, next: Next) -> Response {
    let _ = ids;
    next.run(request).await
}
