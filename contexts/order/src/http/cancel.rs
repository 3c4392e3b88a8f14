//! `POST /orders/{id}/cancel`.

use std::sync::Arc;

use axum::extract::State;
use cleave_vocabulary::OrderId;
use cleave_vocabulary::id::kind;
use cleave_web::{Body, Call, Caller, Once, PathId, Problem, Scope, empty_digest};

use super::dto::{self, CancelBody, OrderBody};
use crate::application::{CancelOrder, Keyed, Orders, Wait};

/// Calls an order off, while it is `pending` or `confirmed`. Everything done so
/// far is undone; the answer waits for that, though not for ever.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{id}/cancel",
    tag = "orders",
    operation_id = "cancel_order",
    params(
        ("id" = OrderId, Path),
        ("Idempotency-Key" = Option<String>, Header),
    ),
    request_body = Option<CancelBody>,
    responses(
        (status = 200, body = OrderBody, headers(("ETag" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`order_not_cancellable`, `idempotency_key_in_use`"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn cancel_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    PathId(id): PathId<kind::Order>,
    Call(call): Call,
    scope: Scope,
    body: Option<Body<CancelBody>>,
) -> Result<Once, Problem> {
    let digest = body.as_ref().map_or_else(empty_digest, |body| body.digest);
    let detail = body.and_then(|body| body.value.reason);
    let wanted = CancelOrder {
        order: id,
        caller,
        detail,
    };
    let keyed = Keyed {
        scope: &scope,
        digest,
    };
    let outcome = orders.cancel(wanted, keyed, dto::changed).await?;
    // What is recorded is that it was asked for; what is answered is what came of it.
    let until = orders.within(orders.settings.cancel_wait, call.deadline);
    let settled = async || {
        orders
            .await_fulfilment(
                id,
                Wait {
                    attention: None,
                    until,
                },
            )
            .await
    };
    match outcome {
        Once::Fresh(first) => {
            let order = settled().await?;
            Ok(Once::Fresh(
                order.map_or(first, |order| dto::changed(&order)),
            ))
        }
        Once::Replayed(first) if first.status.is_success() => {
            let order = settled().await?;
            Ok(Once::Replayed(
                order.map_or(first, |order| dto::changed(&order)),
            ))
        }
        Once::Replayed(refusal) => Ok(Once::Replayed(refusal)),
    }
}
