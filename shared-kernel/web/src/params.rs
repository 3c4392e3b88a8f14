//! Path and query parameters.

use axum::extract::{FromRequestParts, RawPathParams};
use cleave_vocabulary::Id;
use cleave_vocabulary::id::Kind;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;
use crate::body::explain;

/// The id in the path (`{id}`); what is no id of the kind is 404, as what does not exist.
pub struct PathId<K>(pub Id<K>);

impl<K: Kind, S: Send + Sync> FromRequestParts<S> for PathId<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Problem::not_found())?;
        let id = params.iter().find(|(name, _)| *name == "id");
        id.and_then(|(_, text)| text.parse().ok())
            .map(Self)
            .ok_or_else(Problem::not_found)
    }
}

/// The name in the path, for what is not called by an id; what is no text is
/// 404, as what does not exist.
pub struct PathName(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Problem::not_found())?;
        let name = params.iter().last();
        name.map(|(_, text)| Self(text.to_owned()))
            .ok_or_else(Problem::not_found)
    }
}

/// The query string as `T` (with `deny_unknown_fields` off: paging has its own
/// extractor over the same string); 422 naming the parameter.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| Problem::validation(vec![explain(&error)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;
    use cleave_vocabulary::OrderId;

    #[derive(Debug, serde::Deserialize)]
    struct Filter {
        order_id: Option<OrderId>,
    }

    async fn given(uri: &str) -> Result<Filter, Problem> {
        let mut parts = parts(uri, &[]);
        let params = Params::from_request_parts(&mut parts, &()).await;
        params.map(|Params(filter)| filter)
    }

    #[tokio::test]
    async fn a_parameter_that_does_not_fit_is_named() {
        let known = "/?order_id=ord_01h455vb4pex5vsknk084sn02q&limit=5";
        assert!(given(known).await.expect("fits").order_id.is_some());
        assert!(given("/").await.expect("optional").order_id.is_none());
        let problem = given("/?order_id=nonsense").await.expect_err("refused");
        assert_eq!(problem.errors[0].field, "order_id");
        assert_eq!(problem.errors[0].message, "must start with `ord_`");
    }
}
