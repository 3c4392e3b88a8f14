//! The door that every request passes, once it is known who calls: counted,
//! limited in size and time, caught when it panics, measured.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cleave_seam::DEADLINE;
use cleave_vocabulary::{CallContext, Clock, Timestamp};
use cleave_web::{Problem, prefer_wait};
use futures::{FutureExt, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::headers::secure;
use super::rate_limit::{Admission, RateLimit};
use crate::ops::AUDIT;

/// What the door knows.
pub(super) struct Door {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) body_limit: usize,
    pub(super) time_limit: Duration,
    pub(super) audit_limit: Duration,
    pub(super) visitors: Visitors,
    /// Ends what would not end by itself: streams of events.
    pub(super) stop: CancellationToken,
}

/// Who comes through it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Visitors {
    /// Anybody; what they say of their time is not believed.
    Clients,
    /// Gateways, which say how long they still wait.
    Gateways,
}

/// What an answer may need for its way back to the gateway, at the most; never more
/// than a tenth of what is left.
const WAY_BACK: Duration = Duration::from_millis(500);

/// Middleware, within authentication.
pub(super) async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let visit = Visit::of(&door, &request);
    let admission = door.rate_limit.as_ref();
    let admission = admission.and_then(|limits| limits.admit(&request));
    let mut response = match admission.as_ref().and_then(Admission::refusal) {
        Some(refusal) => refusal.into_response(),
        None => door.serve(request, next).await,
    };
    if let Some(admission) = admission {
        admission.tell(response.headers_mut());
    }
    secure(response.headers_mut());
    visit.record(&door, response.status());
    response
}

impl Door {
    async fn serve(&self, mut request: Request, next: Next) -> Response {
        if announced(request.headers()) > self.body_limit {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        DefaultBodyLimit::max(self.body_limit).apply(&mut request);
        let limit = self.limit_of(&request);
        if let Some(call) = request.extensions_mut().get_mut::<CallContext>() {
            *call = call.clone().until(self.clock.now().plus(limit));
        }
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => self.end_with_us(response),
            Ok(Err(panic)) => Problem::internal(&said(&*panic)).into_response(),
            Err(_) => Problem::unavailable(&"the time limit passed").into_response(),
        }
    }

    /// How long the answer to this request may take to begin.
    fn limit_of(&self, request: &Request) -> Duration {
        let route = request.extensions().get().map(MatchedPath::as_str);
        if route == Some(AUDIT) {
            return self.audit_limit;
        }
        let own = self.time_limit + prefer_wait(request.headers()).unwrap_or_default();
        match self.visitors {
            Visitors::Clients => own,
            Visitors::Gateways => left(request.headers()).map_or(own, |left| left.min(own)),
        }
    }

    /// A stream of events ends when the program stops; the client resumes elsewhere.
    fn end_with_us(&self, response: Response) -> Response {
        if !is_event_stream(response.headers()) {
            return response;
        }
        let stop = self.stop.clone().cancelled_owned();
        response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(stop))))
    }
}

/// How long a gateway waits, less the way back to it.
fn left(headers: &HeaderMap) -> Option<Duration> {
    let left = headers.get(DEADLINE)?.to_str().ok()?.parse().ok()?;
    let left = Duration::from_millis(left);
    Some(left.saturating_sub(WAY_BACK.min(left / 10)))
}

/// The length of the body as the head of the request tells it.
fn announced(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0)
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// What a panic said, for the log.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a handler panicked: {}", text.unwrap_or("without a word"))
}

/// One request, as the metrics see it.
struct Visit {
    since: Timestamp,
    method: &'static str,
    route: Option<MatchedPath>,
}

impl Visit {
    fn of(door: &Door, request: &Request) -> Self {
        Self {
            since: door.clock.now(),
            method: known(request.method()),
            route: request.extensions().get().cloned(),
        }
    }

    /// Labels are routes, never paths: their number is bounded.
    fn record(self, door: &Door, status: StatusCode) {
        let route = self
            .route
            .as_ref()
            .map_or("unmatched", |route| route.as_str());
        let seconds = door.clock.now().since(self.since).as_secs_f64();
        metrics::histogram!(
            "http_request_seconds",
            "method" => self.method,
            "route" => route.to_owned(),
            "status" => status.as_str().to_owned(),
        )
        .record(seconds);
    }
}

/// A client may invent methods; the metrics know those that we serve.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
