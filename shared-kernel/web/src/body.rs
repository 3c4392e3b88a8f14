//! Request bodies: JSON, known fields only, every rule checked, every error named by field.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use validator::Validate;

use crate::Problem;

/// A JSON body that has passed its rules. 415 for another media type, 400
/// `malformed_json`, 413, or 422 `validation_failed` naming each field. DTOs
/// derive `Deserialize` with `deny_unknown_fields` and `Validate`.
pub struct Body<T> {
    /// The body.
    pub value: T,
    /// SHA-256 over the bytes as they came (for idempotency).
    pub digest: [u8; 32],
}

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(_request: Request, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}
