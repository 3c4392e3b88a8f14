//! Reading orders: one's own, or as an admin anybody's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cleave_vocabulary::OrderId;
use cleave_vocabulary::id::kind;
use cleave_web::{Caller, Cursor, Page, Paging, Params, PathId, Problem, Tagged, Version};

use super::dto::{ListParams, OrderBody, TimelineBody};
use crate::application::{ListOrders, Orders};

/// Orders, newest first: one's own; for an admin all.
#[utoipa::path(
    get,
    path = "/api/v1/orders",
    tag = "orders",
    operation_id = "list_orders",
    params(ListParams, ("limit" = Option<u32>, Query, minimum = 1, maximum = 100), ("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Page<OrderBody>),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_orders(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    Params(params): Params<ListParams>,
    paging: Paging,
) -> Result<Json<Page<OrderBody>>, Problem> {
    let wanted = ListOrders {
        status: params.status,
        before: paging.cursor.as_ref().map(Cursor::decode).transpose()?,
        limit: paging.limit + 1,
    };
    let found = orders.list(&caller, &wanted).await?;
    let mut page = Page::cut(found, &paging, |order| order.id);
    // The page is cut by what the read model says. Where an order has moved on
    // since, it is not shown under the status that it had.
    page.items
        .retain(|order| params.status.is_none_or(|status| order.status == status));
    Ok(Json(page.map(OrderBody::from)))
}

/// One order.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{id}",
    tag = "orders",
    operation_id = "get_order",
    params(("id" = OrderId, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = OrderBody, headers(("ETag" = String))),
        (status = 304, description = "It is as the client knows it."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    PathId(id): PathId<kind::Order>,
) -> Result<Tagged<OrderBody>, Problem> {
    let order = orders
        .find(&caller, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Tagged(Version(order.version), order.into()))
}

/// Everything that happened to an order: its statuses, the steps of its
/// fulfilment, their compensations, and every event about it, in causal order.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{id}/timeline",
    tag = "orders",
    operation_id = "get_order_timeline",
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = TimelineBody),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_timeline(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    PathId(id): PathId<kind::Order>,
) -> Result<Json<TimelineBody>, Problem> {
    let items = orders
        .timeline(&caller, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Json(TimelineBody { items }))
}
