//! Idempotency keys of operators' requests. Their effects lie in the stores of
//! several contexts, and each is safe to repeat; so the answer is recorded
//! beside the effect and not with it. A crash between the two repeats the
//! effect, which changes nothing, and answers as things then stand.

use cleave_store::{Tx, Unit};
use cleave_web::{Answer, Idempotency, Once, Problem, Scope};

/// Does `act` unless the key has an outcome already.
pub(super) async fn keyed(
    idempotency: Option<&Idempotency>,
    scope: &Scope,
    digest: [u8; 32],
    act: impl Future<Output = Result<Answer, Problem>>,
) -> Result<Once, Problem> {
    // Without a store there is nothing here that could be changed.
    let Some(idempotency) = idempotency else {
        return act.await.map(Once::Fresh);
    };
    if let Some(first) = idempotency.recorded(scope, digest).await? {
        return Ok(first);
    }
    let answer = act.await?;
    if scope.key.is_none() {
        return Ok(Once::Fresh(answer));
    }
    let record = async move |_: &Tx| -> Unit<Answer> { Ok(answer.clone()) };
    idempotency.once(scope, digest, record).await
}
