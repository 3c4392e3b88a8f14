//! What is recorded and replayed of an answer.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::Problem;
use crate::problem::PROBLEM_JSON;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is recorded and replayed of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Location`, where there is one.
    pub location: Option<HeaderValue>,
    /// `ETag`, where there is one.
    pub etag: Option<HeaderValue>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// Whether the body is encrypted where it is recorded.
    pub(super) sealed: bool,
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Views are plain data: what can't be JSON is a defect, and shows as no body.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self::raw(status, body)
    }

    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self::raw(status, Vec::new())
    }

    pub(super) fn raw(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            location: None,
            etag: None,
            body,
            sealed: false,
        }
    }

    pub(super) fn of_problem(problem: &Problem) -> Self {
        Self::raw(problem.status, problem.to_json())
    }

    /// With `Location`.
    pub fn located(mut self, location: &str) -> Self {
        self.location = HeaderValue::from_str(location).ok();
        self
    }

    /// With `ETag`.
    pub fn tagged(mut self, version: crate::Version) -> Self {
        self.etag = Some(version.tag());
        self
    }

    /// An answer that carries secrets: its body is encrypted where it is
    /// recorded. Needs [`Idempotency::sealing`](crate::Idempotency::sealing);
    /// without that key the unit fails.
    pub fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let failed = self.status.is_client_error() || self.status.is_server_error();
        let has_body = !self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if has_body {
            headers.insert(CONTENT_TYPE, if failed { PROBLEM_JSON } else { JSON });
        }
        if let Some(location) = self.location {
            headers.insert(LOCATION, location);
        }
        if let Some(etag) = self.etag {
            headers.insert(ETAG, etag);
        }
        response
    }
}

/// How [`Idempotency::once`](crate::Idempotency::once) ended.
#[derive(Debug)]
pub enum Once {
    /// The unit ran, now.
    Fresh(Answer),
    /// The first outcome, replayed with `Idempotency-Replayed: true`.
    Replayed(Answer),
}

impl IntoResponse for Once {
    fn into_response(self) -> Response {
        match self {
            Self::Fresh(answer) => answer.into_response(),
            Self::Replayed(answer) => {
                let mut response = answer.into_response();
                let yes = HeaderValue::from_static("true");
                response.headers_mut().insert(REPLAYED, yes);
                response
            }
        }
    }
}
