//! Lets services in, and nobody else.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cleave_web::ServiceVerifier;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

/// Carries the service token of a gateway that passes a client's request on;
/// `Authorization` then is the client's.
pub const SERVICE_TOKEN: HeaderName = HeaderName::from_static("cleave-service-token");

/// Judges the tokens that are for one audience.
#[derive(Clone)]
pub(super) struct Lock {
    services: ServiceVerifier,
    audience: &'static str,
}

impl Lock {
    pub(super) fn new(services: &ServiceVerifier, audience: &'static str) -> Self {
        Self {
            services: services.clone(),
            audience,
        }
    }

    async fn pass(&self, token: Option<HeaderValue>, request: Request, next: Next) -> Response {
        match self.services.verify(token.as_ref(), self.audience) {
            Ok(_) => next.run(request).await,
            Err(problem) => {
                let (code, audience) = (problem.code.as_ref(), self.audience);
                tracing::warn!(code, audience, "refused a call of another process");
                problem.into_response()
            }
        }
    }
}

/// For calls of ports: the token is in `Authorization`.
pub(super) async fn authorization(
    State(lock): State<Lock>,
    request: Request,
    next: Next,
) -> Response {
    let token = request.headers().get(AUTHORIZATION).cloned();
    lock.pass(token, request, next).await
}

/// For what gateways ask and pass on: the token has a header of its own, which
/// goes no further.
pub(super) async fn service_header(
    State(lock): State<Lock>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = request.headers_mut().remove(SERVICE_TOKEN);
    lock.pass(token, request, next).await
}
