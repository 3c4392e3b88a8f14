//! `/api/v1/inventory/products/{id}/stock` and what is asked of stock.

use axum::extract::State;
use axum::http::StatusCode;
use cleave_store::{Tx, UnitError};
use cleave_vocabulary::id::kind;
use cleave_web::{Admin, Answer, Body, Call, Caller, Once, PathId, Problem, Scope};

use super::Api;
use super::bodies::{AdjustStockBody, CheckAvailability};
use super::problems::unavailable;
use super::tags::{Shown, tag};
use super::views::{AvailabilityView, StockView};
use crate::application::{self as app, AdjustStock};

/// The stock of a product
#[utoipa::path(
    get,
    path = "/api/v1/inventory/products/{id}/stock",
    operation_id = "find_stock",
    tag = "inventory",
    params(("id" = cleave_vocabulary::ProductId, Path)),
    responses(
        (status = 200, description = "Its stock", body = StockView, headers(("ETag" = String))),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn find(
    State(api): State<Api>,
    PathId(id): PathId<kind::Product>,
) -> Result<Shown<StockView>, Problem> {
    let found = app::find_product(&api.inventory, id).await?;
    let (_, level) = found.ok_or_else(Problem::not_found)?;
    let tag = tag(level.on_hand, level.reserved);
    Ok(Shown(tag, StockView::of(id, level)))
}

/// Corrects what is on hand
#[utoipa::path(
    post,
    path = "/api/v1/inventory/products/{id}/adjustments",
    operation_id = "adjust_stock",
    tag = "inventory",
    security(("bearer" = [])),
    params(
        ("id" = cleave_vocabulary::ProductId, Path),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255),
    ),
    request_body = AdjustStockBody,
    responses(
        (status = 201, description = "The stock after it", body = StockView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`insufficient_inventory`: less than is reserved would be left", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn adjust(
    State(api): State<Api>,
    Admin(caller): Admin,
    PathId(product): PathId<kind::Product>,
    Call(call): Call,
    scope: Scope,
    Body { value, digest }: Body<AdjustStockBody>,
) -> Result<Once, Problem> {
    let adjust = AdjustStock {
        product,
        delta: value.delta,
        reason: value.reason,
        by: caller.user,
    };
    let inventory = api.inventory;
    let unit = async move |tx: &Tx| {
        let level = app::adjust_stock(tx, &inventory, &call, &adjust).await?;
        let view = StockView::of(product, level);
        Ok(Answer::json(StatusCode::CREATED, &view))
    };
    api.idempotency.once(&scope, digest, unit).await
}

/// Whether stock would suffice
#[utoipa::path(
    post,
    path = "/api/v1/inventory/check",
    operation_id = "check_availability",
    tag = "inventory",
    security(("bearer" = [])),
    request_body = CheckAvailability,
    responses(
        (status = 200, description = "What there is, at this moment; nothing is held", body = AvailabilityView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`; a product that there is not is named with `unknown_product`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn check(
    State(api): State<Api>,
    _: Caller,
    Body { value, .. }: Body<CheckAvailability>,
) -> Result<axum::Json<AvailabilityView>, Problem> {
    let checked = app::check_availability(&api.inventory, &value.lines()).await;
    match checked {
        Ok(checked) => Ok(axum::Json(checked.into())),
        Err(UnitError::Refused(refusal)) => Err(unavailable(refusal, &value.items)),
        Err(UnitError::Failed(error)) => Err(error.into()),
    }
}
