//! `POST /orders`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cleave_vocabulary::{CallContext, OrderId};
use cleave_web::{Answer, Body, Call, Caller, Once, Problem, Scope};

use super::dto::{self, OrderBody, PlaceOrderBody};
use super::prefer::{self, PreferWait};
use crate::application::{Keyed, Orders, PlaceOrder, Wait};
use crate::live::Attention;

/// Places an order. Prices come from the catalogue. With `Prefer: wait=N` the
/// answer comes once its fulfilment has settled, or after N seconds (at most
/// 30) with the order as it then is.
#[utoipa::path(
    post,
    path = "/api/v1/orders",
    tag = "orders",
    operation_id = "place_order",
    params(
        ("Idempotency-Key" = Option<String>, Header),
        ("Prefer" = Option<String>, Header, example = "wait=10"),
    ),
    request_body = PlaceOrderBody,
    responses(
        (status = 201, body = OrderBody, headers(("Location" = String), ("ETag" = String), ("Preference-Applied" = String))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`insufficient_inventory` (`items` names the short lines), `idempotency_key_in_use`"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "`validation_failed`, `idempotency_key_reused`"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn place_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    Call(call): Call,
    scope: Scope,
    prefer: PreferWait,
    body: Body<PlaceOrderBody>,
) -> Result<Response, Problem> {
    let keyed = Keyed {
        scope: &scope,
        digest: body.digest,
    };
    let wanted = PlaceOrder::from(body.value);
    let placed = orders
        .place(&call, caller.user, wanted, keyed, dto::created)
        .await?;
    match prefer.at_most(orders.settings.max_wait) {
        Some(wait) => {
            let outcome = settled(&orders, &call, placed.outcome, placed.attention, wait).await?;
            let mut response = outcome.into_response();
            prefer::applied(&mut response, wait);
            Ok(response)
        }
        None => Ok(placed.outcome.into_response()),
    }
}

/// The outcome with the order as it is once it has settled, or the time is up.
/// A request that is repeated waits likewise: it asks for the same order, and
/// would rather hear its fate than how it looked when it was made.
async fn settled(
    orders: &Orders,
    call: &CallContext,
    outcome: Once,
    attention: Option<(OrderId, Attention)>,
    wait: Duration,
) -> Result<Once, Problem> {
    let (replayed, first) = match outcome {
        Once::Fresh(answer) => (false, answer),
        Once::Replayed(answer) => (true, answer),
    };
    let again = |answer| {
        if replayed {
            Once::Replayed(answer)
        } else {
            Once::Fresh(answer)
        }
    };
    let Some(id) = order_of(&first) else {
        // A refusal, as it was recorded: there is nothing to wait for.
        return Ok(again(first));
    };
    let until = orders.within(wait, call.deadline);
    // Of a repeated request the order is the first one's; the attention is to none.
    let attention = attention
        .filter(|(order, _)| *order == id)
        .map(|(_, attention)| attention);
    let order = orders
        .await_fulfilment(id, Wait { attention, until })
        .await?;
    Ok(again(order.map_or(first, |order| dto::created(&order))))
}

/// The order that an answer says was made.
fn order_of(answer: &Answer) -> Option<OrderId> {
    let location = answer.location.as_ref()?.to_str().ok()?;
    location.rsplit('/').next()?.parse().ok()
}

impl From<PlaceOrderBody> for PlaceOrder {
    fn from(body: PlaceOrderBody) -> Self {
        let items = body
            .items
            .iter()
            .map(|line| (line.product_id, line.quantity));
        Self {
            items: items.collect(),
            payment_method: body.payment_method,
            shipping_address: body.shipping_address.into(),
        }
    }
}
