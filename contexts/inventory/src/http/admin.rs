//! A caller who is an admin, demanded before the body is looked at: whoever may
//! not do something learns that first, and nothing else.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cleave_web::{Caller, Problem};

/// An admin: 401 without a token, 403 for other roles.
pub(super) struct Admin(pub(super) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require_admin()?;
        Ok(Self(caller))
    }
}
