//! A context that runs elsewhere: its addresses are the same here, and each
//! request is passed on to the process that has it, head and body as they come.
//! That process verifies the client's token and authorises by itself. Where it
//! does not answer, the answer is a 503 that says when to try again; the other
//! contexts notice nothing, and only so many requests wait for one that hangs. An
//! answer that has begun breaks off where it pauses for longer than the keep-alive of
//! a stream explains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{BoxError, Router};
use bytes::Bytes;
use cleave_seam::{DEADLINE, SendError};
use cleave_vocabulary::CallContext;
use cleave_web::Problem;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_http::timeout::TimeoutBody;

use super::others::{Others, Process};
use crate::internal::SERVICE_TOKEN;
use crate::topology::service_of;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is between two neighbours alone (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The public routes of every context that is not here.
pub(super) fn routes(others: &Others, body_limit: usize) -> Router {
    others.iter().fold(Router::new(), |router, process| {
        let contexts = process.contexts.iter();
        contexts.fold(router, |router, context| {
            let service = service_of(context);
            let way = Way {
                to: process.clone(),
                body_limit,
            };
            let of_one = Router::new()
                .route(&format!("/api/v1/{service}"), any(pass_on))
                .route(&format!("/api/v1/{service}/{{*rest}}"), any(pass_on))
                .with_state(way);
            router.merge(of_one)
        })
    })
}

/// A process, and what a request to it may have as its body. The door has seen what
/// the head says of that, which need say nothing.
#[derive(Clone)]
struct Way {
    to: Arc<Process>,
    body_limit: usize,
}

async fn pass_on(State(way): State<Way>, request: Request) -> Response {
    // Held until the answer begins: how long a stream goes on is its reader's affair.
    let Some(_place) = way.to.places.try_enter() else {
        let full =
            "runs elsewhere and has as many requests under way as gateway.forward.concurrency lets";
        return way.to.unavailable(full).into_response();
    };
    let too_large = Arc::new(AtomicBool::new(false));
    let crossed = too_large.clone();
    let bounded = |body| {
        let bounded = Limited::new(body, way.body_limit);
        Body::new(bounded.map_err(move |error| {
            crossed.fetch_or(error.is::<LengthLimitError>(), Ordering::Relaxed);
            error
        }))
    };
    let answer = way.to.ask(request.map(bounded)).await;
    if too_large.load(Ordering::Relaxed) {
        // Whatever the process made of a body that broke off.
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    answer.unwrap_or_else(Problem::into_response)
}

impl Process {
    /// Passes a request on, and its answer back.
    pub(super) async fn ask(&self, request: Request) -> Result<Response, Problem> {
        let (parts, body) = self.introduced(request)?;
        let answer = self.send(&parts, body).await;
        self.answered(parts.uri.path(), answer)
    }

    /// Passes it on to one of the replicas, and to no other.
    pub(super) async fn ask_at(&self, base: &str, request: Request) -> Result<Response, Problem> {
        let (parts, body) = self.introduced(request)?;
        let body = reqwest::Body::wrap_stream(body.into_data_stream());
        let answer = self.asked(self.replicas.client(), base, &parts).body(body);
        let answer = answer.send().await.map_err(SendError::Failed);
        self.answered(parts.uri.path(), answer.map_err(BoxError::from))
    }

    /// The request, as this process sends it on.
    fn introduced(&self, request: Request) -> Result<(Parts, Body), Problem> {
        let (mut parts, body) = request.into_parts();
        let call = parts.extensions.get::<CallContext>().cloned();
        introduce(&mut parts.headers, call.as_ref());
        parts.headers.insert(SERVICE_TOKEN, self.token()?);
        Ok((parts, body))
    }

    fn answered(
        &self,
        path: &str,
        answer: Result<reqwest::Response, BoxError>,
    ) -> Result<Response, Problem> {
        let answer =
            answer.map_err(|error| self.unavailable(&format!("runs elsewhere: {error}")))?;
        let mut answer = http::Response::from(answer);
        if answer.status() == StatusCode::MISDIRECTED_REQUEST {
            return Err(self.is_not_there(path));
        }
        strip(answer.headers_mut());
        if is_refused(&answer) {
            return Err(self.unavailable("runs elsewhere and did not take this process's service token: internal.key must be the same in both, and their clocks right"));
        }
        Ok(answer.map(|body| Body::new(TimeoutBody::new(self.silence, body))))
    }

    fn unavailable(&self, what: &str) -> Problem {
        Problem::unavailable(&format!("{} {what}", self.contexts.join(", ")))
    }

    /// The process lives and has another context than the settings say.
    fn is_not_there(&self, path: &str) -> Problem {
        let service = path.trim_start_matches("/api/v1/").split('/').next();
        let mut contexts = self.contexts.iter();
        let asked = contexts.find(|context| Some(service_of(context)) == service);
        let context = asked.map_or("the context", |context| context);
        Problem::unavailable(&format!(
            "{context} is not in the process that topology.{context} names: set topology.{context} to the base URL of the process that runs it"
        ))
    }

    async fn send(&self, parts: &Parts, body: Body) -> Result<reqwest::Response, BoxError> {
        let sent = if self.replicas.are_several() {
            // Held meanwhile, because it may have to be sent again.
            let body = to_bytes(body, usize::MAX).await?;
            self.ask_any(parts, body).await
        } else {
            self.ask_one(parts, body).await
        };
        Ok(sent?)
    }

    /// The body goes on as it comes.
    async fn ask_one(&self, parts: &Parts, body: Body) -> Result<reqwest::Response, SendError> {
        let mut body = Some(body).filter(|body| !body.is_end_stream());
        let ask = |http: &reqwest::Client, base: &str| match body.take() {
            Some(body) => {
                let body = reqwest::Body::wrap_stream(body.into_data_stream());
                self.asked(http, base, parts).body(body)
            }
            None => self.asked(http, base, parts),
        };
        self.replicas.send(ask, |_| false).await
    }

    /// To one replica after the other.
    async fn ask_any(&self, parts: &Parts, body: Bytes) -> Result<reqwest::Response, SendError> {
        let ask =
            |http: &reqwest::Client, base: &str| self.asked(http, base, parts).body(body.clone());
        let harmless = |error: &reqwest::Error| is_harmless(error, &parts.method);
        self.replicas.send(ask, harmless).await
    }

    /// What is left of the request's time is told as it is sent.
    fn asked(&self, http: &reqwest::Client, base: &str, parts: &Parts) -> reqwest::RequestBuilder {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let asked = http.request(parts.method.clone(), format!("{base}{path}"));
        let asked = asked.headers(parts.headers.clone());
        let call = parts.extensions.get::<CallContext>();
        match call.and_then(|call| call.deadline) {
            Some(at) => asked.header(DEADLINE, at.since(self.clock.now()).as_millis().to_string()),
            None => asked,
        }
    }
}

/// Whether what has failed so may be asked of another: it was not heard, or it was
/// only a question.
fn is_harmless(error: &reqwest::Error, method: &Method) -> bool {
    error.is_connect() || (method.is_safe() && !error.is_timeout())
}

/// Whether the process refused us, and not the client: only its lock speaks without
/// the correlation id that everything behind it echoes.
fn is_refused<B>(answer: &http::Response<B>) -> bool {
    answer.status() == StatusCode::UNAUTHORIZED && !answer.headers().contains_key(CORRELATION_ID)
}

/// The head of the request, as this process sends it on.
fn introduce(headers: &mut HeaderMap, call: Option<&CallContext>) {
    strip(headers);
    headers.remove(HOST);
    // How long a client waits, it says by `Prefer`.
    headers.remove(DEADLINE);
    // What is worth compressing is compressed at the front, once.
    headers.remove(ACCEPT_ENCODING);
    if let Some(call) = call {
        set(headers, CORRELATION_ID, call.correlation.as_str());
        if let Some(trace) = &call.trace {
            set(headers, TRACEPARENT, trace.as_str());
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Takes away what is between two neighbours, those named by `Connection` included.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
