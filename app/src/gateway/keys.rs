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
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let fetched = fetch_keys(&*users, &verifier, &*clock, &*ids);
        let fetched = tokio::select! {
            () = stop.cancelled() => return,
            fetched = fetched => fetched,
        };
        match fetched {
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
    clock: &dyn Clock,
    ids: &dyn IdSource,
) -> Result<(), String> {
    let call = CallContext::root(ids).until(clock.now().plus(PATIENCE));
    let keys = users.signing_keys(&call, GetSigningKeys {}).await;
    let keys = keys.map_err(|error: PortError| error.to_string())?;
    verifier.set_keys(&keys.jwks)
}

#[cfg(test)]
mod tests {
    use cleave_user_contract::port::SigningKeys;
    use cleave_vocabulary::{ManualClock, SequentialIds, Timestamp};
    use tokio::sync::mpsc;

    use super::*;

    /// A user context that never answers, and tells how long it would be waited for.
    struct Hung(mpsc::UnboundedSender<Option<Timestamp>>);

    #[async_trait::async_trait]
    impl UserPort for Hung {
        async fn signing_keys(
            &self,
            call: &CallContext,
            _: GetSigningKeys,
        ) -> Result<SigningKeys, PortError> {
            self.0.send(call.deadline).expect("somebody listens");
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn keys_are_not_waited_for_without_end_nor_beyond_a_stop() {
        let clock = Arc::new(ManualClock::default());
        let (told, mut heard) = mpsc::unbounded_channel();
        let (verifier, stop) = (TokenVerifier::new(clock.clone()), CancellationToken::new());
        let ids = Arc::new(SequentialIds::default());
        let users = Arc::new(Hung(told));
        let keeping = keep_keys(users, verifier, clock.clone(), ids, stop.clone());
        let stopped = async {
            let deadline = heard.recv().await.expect("asked");
            assert_eq!(deadline, Some(clock.now().plus(PATIENCE)));
            stop.cancel();
        };
        let both = futures::future::join(keeping, stopped);
        let ended = tokio::time::timeout(Duration::from_secs(10), both).await;
        ended.expect("the stop is heeded");
    }
}
