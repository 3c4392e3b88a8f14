//! Correlation: taken from the request or made, echoed, and carried into every
//! call. Being outermost, this is also where every error gets its last shape:
//! problems are rendered with the id, and the framework's own bare answers
//! become problems.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use cleave_vocabulary::{CallContext, CorrelationId, IdSource, TraceParent, UuidV7Ids};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;

use crate::Problem;
use crate::problem::{Carried, of_status};

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The call context of a request, for the use case it calls: correlation,
/// trace, and the request's deadline. Layers may narrow it by replacing the
/// [`CallContext`] in the request's extensions.
#[derive(Debug, Clone)]
pub struct Call(pub CallContext);

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let known = parts.extensions.get::<CallContext>().cloned();
        // Without the layer, as in a test of a bare router, the call still has an id.
        Ok(Self(
            known.unwrap_or_else(|| call_of(&parts.headers, &UuidV7Ids)),
        ))
    }
}

/// Middleware, outermost: takes `X-Correlation-ID` and `traceparent` or makes
/// them, runs the request in a span that carries them, echoes the id, and
/// renders every [`Problem`] with it.
pub async fn correlate(ids: Arc<dyn IdSource>, mut request: Request, next: Next) -> Response {
    let call = call_of(request.headers(), &*ids);
    let span = tracing::info_span!(
        "request",
        correlation_id = call.correlation.as_str(),
        method = request.method().as_str(),
        path = request.uri().path(),
    );
    let echo = Echo::of(&call);
    request.extensions_mut().insert(call);
    async move {
        let mut response = next.run(request).await;
        echo.onto(&mut response);
        response
    }
    .instrument(span)
    .await
}

/// What the headers say, where they say it well; else new.
fn call_of(headers: &HeaderMap, ids: &dyn IdSource) -> CallContext {
    let correlation = parsed(headers, &CORRELATION_ID);
    let trace = parsed(headers, &TRACEPARENT);
    let mut call = CallContext::of(correlation.unwrap_or_else(|| CorrelationId::fresh(ids)));
    call.trace = Some(trace.unwrap_or_else(|| TraceParent::fresh(ids)));
    call
}

fn parsed<T: std::str::FromStr>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// What every answer carries.
struct Echo {
    correlation: CorrelationId,
    trace: Option<TraceParent>,
}

impl Echo {
    fn of(call: &CallContext) -> Self {
        Self {
            correlation: call.correlation.clone(),
            trace: call.trace.clone(),
        }
    }

    fn onto(&self, response: &mut Response) {
        if let Some(problem) = problem_of(response) {
            self.render(problem, response);
        }
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(self.correlation.as_str()) {
            headers.insert(CORRELATION_ID, value);
        }
        let trace = self.trace.as_ref();
        if let Some(Ok(value)) = trace.map(|trace| HeaderValue::from_str(trace.as_str())) {
            headers.insert(TRACEPARENT, value);
        }
    }

    fn render(&self, problem: Arc<Problem>, response: &mut Response) {
        let mut problem = Arc::unwrap_or_clone(problem);
        problem
            .correlation_id
            .get_or_insert_with(|| self.correlation.as_str().to_owned());
        problem.fill(response);
    }
}

/// The problem that a response carries; for a bare error of the framework, the
/// one that its status stands for.
fn problem_of(response: &mut Response) -> Option<Arc<Problem>> {
    if let Some(Carried(problem)) = response.extensions_mut().remove() {
        return Some(problem);
    }
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    (failed && is_bare(response)).then(|| Arc::new(of_status(status)))
}

fn is_bare(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}
