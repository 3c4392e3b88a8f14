//! A context that runs elsewhere: its addresses are the same here, and each
//! request is passed on to the process that has it, head and body as they come.
//! That process verifies the client's token and authorises by itself. Where it
//! does not answer, the answer is a 503 that says when to try again; the other
//! contexts notice nothing.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use cleave_vocabulary::CallContext;
use cleave_web::Problem;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

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
pub(super) fn routes(others: &Others) -> Router {
    others.iter().fold(Router::new(), |router, process| {
        let contexts = process.contexts.iter();
        contexts.fold(router, |router, context| {
            let service = service_of(context);
            let of_one = Router::new()
                .route(&format!("/api/v1/{service}"), any(pass_on))
                .route(&format!("/api/v1/{service}/{{*rest}}"), any(pass_on))
                .with_state(process.clone());
            router.merge(of_one)
        })
    })
}

async fn pass_on(State(process): State<Arc<Process>>, request: Request) -> Response {
    process
        .ask(request)
        .await
        .unwrap_or_else(Problem::into_response)
}

impl Process {
    /// Passes a request on, and its answer back.
    pub(super) async fn ask(&self, request: Request) -> Result<Response, Problem> {
        let (mut parts, body) = request.into_parts();
        let call = parts.extensions.get::<CallContext>().cloned();
        introduce(&mut parts.headers, call.as_ref());
        parts.headers.insert(SERVICE_TOKEN, self.token()?);
        let asked = if self.has_replicas() {
            let broke_off = |_| Problem::unavailable(&"the request broke off on its way");
            // The door has bounded it; what may have to be sent again is held meanwhile.
            let body = to_bytes(body, usize::MAX).await.map_err(broke_off)?;
            self.try_each(&parts, body).await
        } else {
            let mut asked = self.asked(self.base.as_str(), &parts);
            if !body.is_end_stream() {
                asked = asked.body(reqwest::Body::wrap_stream(body.into_data_stream()));
            }
            asked.send().await
        };
        // An address is the deployment's own affair.
        let answer = asked.map_err(|error| {
            let reason = with_causes(&error.without_url());
            Problem::unavailable(&format!(
                "{} runs elsewhere: {reason}",
                self.contexts.join(", ")
            ))
        })?;
        let mut answer = http::Response::from(answer);
        strip(answer.headers_mut());
        if is_refused(&answer) {
            return Err(Problem::unavailable(&format!(
                "{} runs elsewhere and did not take this process's service token: internal.key must be the same in both, and their clocks right",
                self.contexts.join(", ")
            )));
        }
        Ok(answer.map(Body::new))
    }

    fn asked(&self, base: &str, parts: &Parts) -> reqwest::RequestBuilder {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let asked = self
            .client()
            .request(parts.method.clone(), format!("{base}{path}"));
        asked.headers(parts.headers.clone())
    }

    /// Asks the replica whose turn it is, and the next where nothing can have come of that.
    async fn try_each(&self, parts: &Parts, body: Bytes) -> reqwest::Result<reqwest::Response> {
        let mut bases = self.bases();
        let mut base = bases.next().unwrap_or(&self.base);
        loop {
            let sent = self.asked(base, parts).body(body.clone()).send().await;
            match (sent, bases.next()) {
                (Err(error), Some(next)) if is_harmless(&error, &parts.method) => base = next,
                (sent, _) => return sent,
            }
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

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The head of the request, as this process sends it on.
fn introduce(headers: &mut HeaderMap, call: Option<&CallContext>) {
    strip(headers);
    headers.remove(HOST);
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
