//! A port over HTTP, from the provider's side: its operations as routes under
//! `/internal/v1/<context>/`. Who may call is not decided here; a layer before
//! these routes does that.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use cleave_vocabulary::{CallContext, Clock, Failure, FailureKind, PortError};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument;

use crate::Operation;
use crate::codec::{Answer, BODY_LIMIT, decode_request};

/// The routes of one port, operation by operation.
pub struct Routes {
    router: axum::Router,
    clock: Arc<dyn Clock>,
}

impl Routes {
    /// Of `context`. An operation that it does not know is answered as
    /// unsupported.
    pub fn new(context: &str, clock: Arc<dyn Clock>) -> Self {
        let unknown = format!("/internal/v1/{context}/{{operation}}");
        Self {
            router: axum::Router::new().route(&unknown, any(unsupported)),
            clock,
        }
    }

    /// Serves one operation.
    pub fn operation<I, O, F>(
        self,
        operation: Operation,
        act: impl Fn(CallContext, I) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Future<Output = Result<O, PortError>> + Send + 'static,
    {
        let Self { router, clock } = self;
        let serving = clock.clone();
        let handler = async move |headers: HeaderMap, body: Result<Bytes, BytesRejection>| {
            let answer = serve(&operation, &*serving, &headers, body, act).await;
            answer.into_response()
        };
        Self {
            router: router.route(operation.path, post(handler)),
            clock,
        }
    }

    /// The routes, each with its body limit.
    pub fn into_router(self) -> axum::Router {
        self.router.layer(DefaultBodyLimit::max(BODY_LIMIT))
    }
}

async fn serve<I, O, F>(
    operation: &Operation,
    clock: &dyn Clock,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    act: impl FnOnce(CallContext, I) -> F,
) -> Answer
where
    I: DeserializeOwned,
    O: Serialize,
    F: Future<Output = Result<O, PortError>>,
{
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let failure = Failure::clean(FailureKind::Broken, rejection.body_text());
            return Answer {
                status: rejection.status(),
                ..Answer::error(&failure.into())
            };
        }
    };
    match decode_request(headers, &body, clock.now()) {
        Ok((call, input)) => {
            let span = tracing::info_span!("internal_call", operation = operation.path, correlation_id = %call.correlation);
            Answer::encode(&act(call, input).instrument(span).await)
        }
        Err(failure) if failure.kind == FailureKind::Broken => Answer {
            status: StatusCode::BAD_REQUEST,
            ..Answer::error(&failure.into())
        },
        Err(failure) => Answer::error(&failure.into()),
    }
}

async fn unsupported() -> Response {
    let failure = Failure::clean(FailureKind::Unsupported, "no such operation");
    Answer::error(&failure.into()).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (self.status, json, self.body).into_response()
    }
}
