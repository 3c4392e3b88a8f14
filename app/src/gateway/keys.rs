//! The public keys of access tokens: shown at `/.well-known/jwks.json`, and
//! kept fresh in the verifier of this process.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use cleave_user_contract::port::{GetSigningKeys, UserPort};
use cleave_vocabulary::{CallContext, Clock, IdSource, PortError};
use cleave_web::{Call, Problem, TokenVerifier};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio_util::sync::CancellationToken;

/// How often keys are asked for; a new key is shown for longer before it signs.
const REFRESH: Duration = Duration::from_mins(1);
/// How often, as long as none are known.
const RETRY: Duration = Duration::from_millis(250);

/// `GET /.well-known/jwks.json`.
pub(super) fn jwks(users: Arc<dyn UserPort>) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(show))
        .with_state(users)
}

/// The public keys that access tokens are verified with (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "platform", operation_id = "get_signing_keys",
    responses(
        (status = 200, description = "The keys.", body = Object, content_type = "application/jwk-set+json"),
        (status = 429, description = "`rate_limited`.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`service_unavailable`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(users): State<Arc<dyn UserPort>>,
    Call(call): Call,
) -> Result<impl IntoResponse, Problem> {
    let keys = users.signing_keys(&call, GetSigningKeys {}).await?;
    let headers = [
        (CONTENT_TYPE, "application/jwk-set+json"),
        (CACHE_CONTROL, "public, max-age=60"),
    ];
    Ok((headers, keys.jwks.to_string()))
}

/// Keeps a verifier's keys as the user context has them, until `stop`.
pub async fn keep_keys(
    users: Arc<dyn UserPort>,
    verifier: TokenVerifier,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    stop: CancellationToken,
) {
    let mut known = false;
    loop {
        match fetch_keys(&*users, &verifier, &*ids).await {
            Ok(()) => known = true,
            Err(reason) => tracing::warn!(reason, known, "could not fetch the keys of tokens"),
        }
        let pause = if known { REFRESH } else { RETRY };
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(pause) => {}
        }
    }
}

/// Asks for the keys once, and gives them to the verifier.
pub async fn fetch_keys(
    users: &dyn UserPort,
    verifier: &TokenVerifier,
    ids: &dyn IdSource,
) -> Result<(), String> {
    let call = CallContext::root(ids);
    let keys = users.signing_keys(&call, GetSigningKeys {}).await;
    let keys = keys.map_err(|error: PortError| error.to_string())?;
    verifier.set_keys(&keys.jwks)
}
