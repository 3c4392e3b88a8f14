//! Idempotency keys: the key, the outcome and the effect commit together, so a
//! repeated request gets the first outcome, whatever crashed between.
//! After Stripe's API and the IETF draft `idempotency-key-header`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::Response;
use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::Clock;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::Problem;

/// The settings of `http.idempotency`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencyOptions {
    /// How long outcomes are kept.
    #[serde(with = "cleave_vocabulary::duration")]
    pub keep: Duration,
}

impl Default for IdempotencyOptions {
    fn default() -> Self {
        Self {
            keep: Duration::from_hours(24),
        }
    }
}

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
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(_status: StatusCode, _body: &impl Serialize) -> Self {
        todo!()
    }
    /// With `Location`.
    pub fn located(self, _location: &str) -> Self {
        todo!()
    }
    /// With `ETag`.
    pub fn tagged(self, _version: crate::Version) -> Self {
        todo!()
    }
}

/// Whom a key belongs to: the caller and the route. Extracted from the request,
/// with the `Idempotency-Key` if it has one (422 where it is not 1 to 255 characters).
#[derive(Debug, Clone)]
pub struct Scope {
    /// The user's id, or `anonymous`.
    pub caller: String,
    /// Method and path: `POST /api/v1/orders`.
    pub route: String,
    /// The key, where the request has one.
    pub key: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// The idempotency records of one context. Cheap to clone.
#[derive(Clone)]
pub struct Idempotency {
    #[allow(dead_code)]
    inner: Arc<(Store, Arc<dyn Clock>, IdempotencyOptions)>, // the implementer decides
}

/// How [`Idempotency::once`] ended.
pub enum Once {
    /// The unit ran, now.
    Fresh(Answer),
    /// The first outcome, replayed with `Idempotency-Replayed: true`.
    Replayed(Answer),
}

impl axum::response::IntoResponse for Once {
    fn into_response(self) -> Response {
        todo!()
    }
}

impl Idempotency {
    /// Over a context's store (tables `idempotency`).
    pub fn new(store: Store, clock: Arc<dyn Clock>, options: IdempotencyOptions) -> Self {
        Self {
            inner: Arc::new((store, clock, options)),
        }
    }

    /// Runs `unit` once for the scope's key: effect, key and outcome in one
    /// commit. Without a key it simply runs. A refusal (`R` into [`Problem`]) undoes the
    /// unit's writes, is recorded as the outcome, and is replayed likewise;
    /// failures of the store (5xx) are not recorded. 409 `idempotency_key_in_use` while
    /// the first is in flight, 422 `idempotency_key_reused` for another body.
    pub async fn once<R, F>(
        &self,
        _scope: &Scope,
        _digest: [u8; 32],
        unit: F,
    ) -> Result<Once, Problem>
    where
        F: AsyncFn(&Tx) -> Unit<Answer, R> + Send + 'static,
        R: Into<Problem> + Send + 'static,
    {
        let _ = unit;
        todo!()
    }

    /// The recorded outcome for the scope's key, if any: for handlers that do
    /// work before the unit (a quote from another context) that a replay need not repeat.
    pub async fn recorded(
        &self,
        _scope: &Scope,
        _digest: [u8; 32],
    ) -> Result<Option<Once>, Problem> {
        todo!()
    }

    /// Forgets outcomes past their time; returns how many.
    pub async fn sweep(&self) -> Unit<u64> {
        todo!()
    }
}
