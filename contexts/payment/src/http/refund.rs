//! Giving money back, as an operator asks. The refund itself carries a key made
//! from the request's, so that whatever crashes between its effect and the
//! recorded answer, a repeated request finds the refund and gives no more back.

use std::fmt::Write;

use axum::extract::State;
use axum::http::StatusCode;
use cleave_store::UnitError;
use cleave_vocabulary::PaymentId;
use cleave_vocabulary::id::kind;
use cleave_web::{Admin, Answer, Body, Call, Once, PathId, Problem, Scope};
use sha2::{Digest, Sha256};

use super::Api;
use super::dto::{RefundBody, TransactionBody};
use crate::application::RefundRequest;
use crate::domain::RefundRefusal;

/// Gives back some of a payment, or all that is left of it.
#[utoipa::path(
    post,
    path = "/api/v1/payments/{id}/refunds",
    tag = "payments",
    operation_id = "refund_payment",
    params(("id" = PaymentId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = RefundBody,
    responses(
        (status = 201, body = TransactionBody, description = "Given back; or promised (`pending`), where the gateway is away."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`refund_exceeds_charge`, `payment_not_settled`, `refund_refused`"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn refund_payment(
    State(api): State<Api>,
    _: Admin,
    PathId(payment_id): PathId<kind::Payment>,
    Call(call): Call,
    scope: Scope,
    body: Body<RefundBody>,
) -> Result<Once, Problem> {
    if let Some(first) = api.idempotency.recorded(&scope, body.digest).await? {
        return Ok(first);
    }
    let request = RefundRequest {
        payment_id,
        amount: body.value.amount,
        reason: body.value.reason,
        key: api.payments.refund_key(named(&scope)),
        fingerprint: hex(&body.digest),
    };
    let given = api.payments.refund_payment(&call, request).await?;
    if let Err(reused @ RefundRefusal::KeyReused) = given {
        // The key's outcome is the first request's, which a crash may have kept
        // from being recorded: this one must not take its place.
        return Err(reused.into());
    }
    let outcome = given.map(TransactionBody::from);
    api.idempotency
        .once(&scope, body.digest, async move |_| match &outcome {
            Ok(refund) => Ok(Answer::json(StatusCode::CREATED, refund)),
            Err(refusal) => Err(UnitError::Refused(refusal.clone())),
        })
        .await
}

/// What names the refund of a request with an idempotency key: the same for the
/// same caller, route and key, and saying nothing of them to the gateway.
fn named(scope: &Scope) -> Option<String> {
    let key = scope.key.as_ref()?;
    let mut digest = Sha256::new();
    for part in [&scope.caller, &scope.route, key] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    Some(hex(&digest.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
