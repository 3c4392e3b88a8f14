//! Errors as RFC 9457 problem details.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use cleave_store::{StoreError, UnitError};
use cleave_vocabulary::PortError;
use http::StatusCode;
use serde::{Deserialize, Serialize};

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

/// A problem, as clients see it. The correlation id is added on the way out.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
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
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Seconds for `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u64>,
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
        _status: StatusCode,
        _code: impl Into<Cow<'static, str>>,
        _detail: impl Into<String>,
    ) -> Self {
        todo!()
    }
    /// 422 `validation_failed`, naming each field.
    pub fn validation(_errors: Vec<FieldError>) -> Self {
        todo!()
    }
    /// 422 `validation_failed` for one field.
    pub fn invalid_field(
        _field: impl Into<String>,
        _code: &'static str,
        _message: impl Into<Cow<'static, str>>,
    ) -> Self {
        todo!()
    }
    /// 404 `not_found`.
    pub fn not_found() -> Self {
        todo!()
    }
    /// 403 `forbidden`.
    pub fn forbidden() -> Self {
        todo!()
    }
    /// 409 with a code of its own.
    pub fn conflict(_code: impl Into<Cow<'static, str>>, _detail: impl Into<String>) -> Self {
        todo!()
    }
    /// 503 `service_unavailable` with `Retry-After`. The reason is logged, not shown.
    pub fn unavailable(_reason: &dyn std::fmt::Display) -> Self {
        todo!()
    }
    /// 500 `internal_error`. The reason is logged with the correlation id, not shown.
    pub fn internal(_reason: &dyn std::fmt::Display) -> Self {
        todo!()
    }
    /// Adds a member.
    pub fn with(self, _name: &str, _value: impl Serialize) -> Self {
        todo!()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        todo!()
    }
}

/// Busy and full are 503; the rest is 500.
impl From<StoreError> for Problem {
    fn from(_error: StoreError) -> Self {
        todo!()
    }
}

impl<R: Into<Problem>> From<UnitError<R>> for Problem {
    fn from(_error: UnitError<R>) -> Self {
        todo!()
    }
}

impl From<std::convert::Infallible> for Problem {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// A failure is 503; a refusal that the caller did not map is a 409 of its code.
impl From<PortError> for Problem {
    fn from(_error: PortError) -> Self {
        todo!()
    }
}
