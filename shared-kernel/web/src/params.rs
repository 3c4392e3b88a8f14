//! Path and query parameters.

use axum::extract::FromRequestParts;
use cleave_vocabulary::Id;
use cleave_vocabulary::id::Kind;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;

/// The id in the path (`{id}`); what is no id of the kind is 404, as what does not exist.
pub struct PathId<K>(pub Id<K>);

impl<K: Kind, S: Send + Sync> FromRequestParts<S> for PathId<K> {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// The query string as `T` (with `deny_unknown_fields` off: paging has its own
/// extractor over the same string); 422 naming the parameter.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}
