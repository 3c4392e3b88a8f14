//! A port over HTTP, from the caller's side. What was certainly not sent fails
//! cleanly; whatever fails after that leaves the outcome unknown. It neither
//! retries nor limits the number of calls: that is the guard's business, which
//! stands before every client.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cleave_resilience::by;
use cleave_vocabulary::{CallContext, Clock, Failure, FailureKind, PortError};
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{BODY_LIMIT, Request, decode_answer};
use crate::{Operation, Replicas, SendError};

/// Where a context is served. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint {
    replicas: Arc<Replicas>,
    clock: Arc<dyn Clock>,
    credentials: Option<Arc<dyn Credentials>>,
}

/// What shows the other side who calls.
pub trait Credentials: Send + Sync + 'static {
    /// The value of `Authorization`; asked for anew at each call.
    fn authorization(&self) -> Result<HeaderValue, String>;
}

/// How often a connection without news is tried, and how long that may take: a
/// peer that vanished is noticed, and calls to it fail, within the sum.
const PING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5));

/// How much of an answer may be on its way before it is asked for more. Calls are
/// small: to measure what a connection bears, as an adaptive window does, would cost
/// each of them frames of its own.
const WINDOW: u32 = 1 << 20;

/// An HTTP client for calls between contexts: no proxy and no redirects, because
/// both sides are ours; HTTP/2 from the first byte, so that all calls to a
/// process share a connection. One serves every endpoint of a process.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(90))
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(WINDOW * 4)
        .http2_keep_alive_interval(PING.0)
        .http2_keep_alive_timeout(PING.1)
        .http2_keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .build()
}

impl Endpoint {
    /// `context` at `base_url`: `http://10.0.0.7:8080`. Of several with commas
    /// between, which are replicas, each is called in its turn, and the next one
    /// where it can't be reached.
    pub fn new(
        http: reqwest::Client,
        context: &str,
        base_url: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            replicas: Arc::new(Replicas::new(http, context, base_url, clock.clone())),
            clock,
            credentials: None,
        }
    }

    /// With calls that show `credentials`.
    #[must_use]
    pub fn showing(self, credentials: Arc<dyn Credentials>) -> Self {
        Self {
            credentials: Some(credentials),
            ..self
        }
    }

    /// Calls `operation` there; waits no longer than the call's deadline.
    pub async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation,
        call: &CallContext,
        input: &I,
    ) -> Result<O, PortError> {
        let mut request = Request::encode(call, input, self.clock.now())?;
        if let Some(credentials) = &self.credentials {
            let shown = credentials.authorization();
            let shown = shown.map_err(|why| Failure::clean(FailureKind::Broken, why))?;
            request.headers.insert(AUTHORIZATION, shown);
        }
        let sent = AtomicBool::new(false);
        let exchange = self.exchange(operation, request, &sent);
        let answer = match call.deadline {
            Some(at) => by(&*self.clock, at, exchange).await.unwrap_or_else(|| {
                let message = "no answer before the deadline";
                Err(Failure {
                    outcome_unknown: sent.load(Ordering::Relaxed),
                    ..Failure::unknown(FailureKind::Timeout, message)
                })
            }),
            None => exchange.await,
        };
        let result = answer
            .map_err(PortError::from)
            .and_then(|(status, body)| decode_answer(status, &body));
        operation.settle(result)
    }

    async fn exchange(
        &self,
        operation: &Operation,
        request: Request,
        sent: &AtomicBool,
    ) -> Result<(StatusCode, BytesMut), Failure> {
        let mut response = self.send(operation, request, sent).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(not_answered)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                let message = format!("the answer is larger than {BODY_LIMIT} bytes");
                return Err(Failure::unknown(FailureKind::Broken, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}

impl Endpoint {
    /// To the first that can be reached; what was sent is never sent again.
    async fn send(
        &self,
        operation: &Operation,
        request: Request,
        sent: &AtomicBool,
    ) -> Result<reqwest::Response, Failure> {
        let (headers, body) = (request.headers, Bytes::from(request.body));
        let sending = |http: &reqwest::Client, base: &str| {
            sent.store(true, Ordering::Relaxed);
            let post = http.post(format!("{base}{}", operation.path));
            post.headers(headers.clone()).body(body.clone())
        };
        let answer = self.replicas.send(sending, |_| false).await;
        answer.map_err(|error| match error {
            SendError::Unreached(why) => Failure::clean(FailureKind::Unavailable, &*why),
            SendError::Failed(error) => not_answered(error),
        })
    }
}

/// Messages go as far as operators' pages; where processes listen does not.
fn not_answered(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let message = with_causes(&error);
    if error.is_builder() {
        Failure::clean(FailureKind::Broken, message)
    } else if error.is_connect() {
        Failure::clean(FailureKind::Unavailable, message)
    } else if error.is_timeout() {
        Failure::unknown(FailureKind::Timeout, message)
    } else {
        Failure::unknown(FailureKind::Unavailable, message)
    }
}

/// What an error says, and what is behind it.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.source();
    }
    message
}
