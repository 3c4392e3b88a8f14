//! Errors as RFC 9457 problem details. A problem is a value until it leaves
//! the house: [`correlate`](crate::correlate) writes the request's correlation
//! id into it. What it never shows: stack traces, SQL, internal addresses, or
//! what the client sent.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use cleave_store::{StoreError, UnitError};
use cleave_vocabulary::PortError;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// The media type of problem details.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// One field that failed its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where: `items[0].quantity`.
    pub field: String,
    /// Stable, `snake_case`: `out_of_range`.
    pub code: Cow<'static, str>,
    /// For a person.
    pub message: Cow<'static, str>,
}

impl FieldError {
    /// A field, what is wrong with it, and a sentence about it.
    pub fn new(
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            message: message.into(),
        }
    }
}

/// A problem, as clients see it. The correlation id is added on the way out.
/// Its members are those of [`Details`], kept apart so that a `Result` stays small.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

/// The members of a problem (RFC 9457, section 3).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Details {
    /// `urn:cleave:problem:<code>`, or a URI that documents it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for each problem of this code.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    #[serde(with = "status")]
    #[schema(value_type = u16)]
    pub status: StatusCode,
    /// What happened this time, and what to do.
    pub detail: String,
    /// Stable, `snake_case`.
    pub code: Cow<'static, str>,
    /// The request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// For validation: each field that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Further members that a code brings with it (short order lines, for one).
    #[serde(flatten)]
    #[schema(ignore)]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Seconds for `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl utoipa::PartialSchema for Problem {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Details::schema()
    }
}

impl utoipa::ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Details::name()
    }

    fn schemas(
        schemas: &mut Vec<(
            String,
            utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
        )>,
    ) {
        Details::schemas(schemas);
    }
}

mod status {
    use http::StatusCode;
    use serde::Serializer;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature is serde's"
    )]
    pub(super) fn serialize<S: Serializer>(
        status: &StatusCode,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }
}

impl Problem {
    /// A problem under its status and code.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        let code = code.into();
        Self(Box::new(Details {
            kind: format!("urn:cleave:problem:{code}"),
            title: title(&code).into(),
            status,
            detail: detail.into(),
            code,
            correlation_id: None,
            errors: Vec::new(),
            extra: serde_json::Map::new(),
            retry_after: None,
        }))
    }

    /// With `Retry-After`.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// 422 `validation_failed`, naming each field.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "Some fields of the request are not valid; `errors` names each.",
        );
        problem.errors = errors;
        problem
    }

    /// 422 `validation_failed` for one field.
    pub fn invalid_field(
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::validation(vec![FieldError::new(field, code, message)])
    }

    /// 404 `not_found`.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing here under this address.",
        )
    }

    /// 403 `forbidden`.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Your role does not allow this.",
        )
    }

    /// 412 `version_conflict`.
    pub fn version_conflict() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "version_conflict",
            "The resource has changed since. Read it again, and send the `ETag` that you then get.",
        )
    }

    /// 409 with a code of its own.
    pub fn conflict(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 503 `service_unavailable` with `Retry-After`. The reason is logged, not shown.
    pub fn unavailable(reason: &dyn std::fmt::Display) -> Self {
        tracing::warn!(%reason, "answered 503: service unavailable");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "The service can't answer now. Try again in a moment.",
        )
        .retry_after(1)
    }

    /// 500 `internal_error`. The reason is logged with the correlation id, not shown.
    pub fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "answered 500: internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong on our side. Quote the correlation id when you report it.",
        )
    }

    /// Adds a member.
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.extra.insert(name.to_owned(), value);
        }
        self
    }

    /// The problem as JSON.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Makes `response` show this problem; keeps its other headers (`Allow`, for one).
    pub(crate) fn fill(&self, response: &mut Response) {
        *response.status_mut() = self.status;
        *response.body_mut() = Body::from(self.to_json());
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(seconds) = self.0.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
    }

    /// Every 401 says how to authenticate (RFC 9110, 11.6.1; RFC 6750, 3).
    fn challenge(&self) -> Option<HeaderValue> {
        let text = match (self.status, self.code.as_ref()) {
            (StatusCode::UNAUTHORIZED, "invalid_token") => {
                r#"Bearer realm="cleave", error="invalid_token", error_description="the token is not valid""#
            }
            (StatusCode::UNAUTHORIZED, "token_expired") => {
                r#"Bearer realm="cleave", error="invalid_token", error_description="the token has expired""#
            }
            (
                StatusCode::UNAUTHORIZED,
                "service_token_refused"
                | "user_token_refused"
                | "invalid_service_token"
                | "wrong_audience"
                | "service_token_out_of_time",
            ) => {
                r#"Bearer realm="cleave", error="invalid_token", error_description="the token is not for this route""#
            }
            (StatusCode::UNAUTHORIZED, _) => r#"Bearer realm="cleave""#,
            _ => return None,
        };
        Some(HeaderValue::from_static(text))
    }
}

/// `insufficient_inventory` as `Insufficient inventory`.
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// A problem that a response carries, until the correlation id is known.
#[derive(Clone)]
pub(crate) struct Carried(pub(crate) Arc<Problem>);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        self.fill(&mut response);
        response.extensions_mut().insert(Carried(Arc::new(self)));
        response
    }
}

/// What passes (busy, full, closed, away) is 503; the rest is 500.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            Self::unavailable(&error)
        } else {
            Self::internal(&error)
        }
    }
}

impl<R: Into<Problem>> From<UnitError<R>> for Problem {
    fn from(error: UnitError<R>) -> Self {
        match error {
            UnitError::Refused(refusal) => refusal.into(),
            UnitError::Failed(error) => error.into(),
        }
    }
}

impl From<std::convert::Infallible> for Problem {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// A failure is 503; a refusal that the caller did not map is a 409 of its code.
impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Refused(refusal) => {
                let problem = Self::conflict(refusal.code, refusal.message);
                match refusal.details {
                    Some(details) => problem.with("details", details),
                    None => problem,
                }
            }
            PortError::Failed(failure) => Self::unavailable(&failure),
        }
    }
}

/// The problem behind an answer that the framework gave without one: a path or
/// a method that no router knows, a body that is too large.
pub(crate) fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => method_not_allowed_problem(),
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => unsupported_media_type(),
        StatusCode::UNPROCESSABLE_ENTITY => Problem::validation(Vec::new()),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Problem::unavailable(&status)
        }
        status if status.is_client_error() => {
            Problem::new(status, "bad_request", "The request can't be understood.")
        }
        _ => Problem::internal(&status),
    }
}

/// 413 `body_too_large`.
pub(crate) fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "The body is larger than this service takes.",
    )
}

/// 415 `unsupported_media_type`.
pub(crate) fn unsupported_media_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "The body must be JSON, sent as `Content-Type: application/json`.",
    )
}

fn method_not_allowed_problem() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not know the method; `Allow` names those that it does.",
    )
}

/// The fallback of a router: 404 `not_found`.
pub async fn not_found() -> Problem {
    Problem::not_found()
}

/// The fallback of a router for methods that a path does not know: 405. The
/// router adds `Allow` when this is its `method_not_allowed_fallback`.
pub async fn method_not_allowed() -> Problem {
    method_not_allowed_problem()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_members_in_one_shape() {
        let problem = Problem::conflict("insufficient_inventory", "Not enough stock.")
            .with("lines", [1])
            .to_json();
        let text = String::from_utf8(problem).expect("utf-8");
        insta::assert_snapshot!(text, @r#"{"type":"urn:cleave:problem:insufficient_inventory","title":"Insufficient inventory","status":409,"detail":"Not enough stock.","code":"insufficient_inventory","lines":[1]}"#);
    }

    #[test]
    fn its_schema_has_its_name() {
        assert_eq!(<Problem as utoipa::ToSchema>::name(), "Problem");
        let mut parts = Vec::new();
        <Problem as utoipa::ToSchema>::schemas(&mut parts);
        assert!(parts.iter().any(|(name, _)| name == "FieldError"));
    }

    #[test]
    fn every_401_says_how_to_authenticate() {
        for code in ["unauthorized", "invalid_token", "invalid_credentials"] {
            let response = Problem::new(StatusCode::UNAUTHORIZED, code, "").into_response();
            assert!(response.headers().contains_key(WWW_AUTHENTICATE), "{code}");
        }
        let response = Problem::forbidden().into_response();
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn what_the_store_said_is_not_shown() {
        let error = StoreError::Database(sea_orm::DbErr::Custom("SELECT secret".into()));
        let text = String::from_utf8(Problem::from(error).to_json()).expect("utf-8");
        assert!(!text.contains("SELECT"), "{text}");
    }
}
