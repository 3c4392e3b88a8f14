//! `/api/v1/inventory/products`.

use axum::extract::State;
use axum::http::StatusCode;
use cleave_store::Tx;
use cleave_vocabulary::id::kind;
use cleave_web::{
    Admin, Answer, Body, Cursor, IfMatch, Once, Page, Paging, Params, PathId, Problem, Scope,
};

use super::Api;
use super::bodies::{CreateProduct, EditProduct, Search};
use super::tags::{Shown, tag, version};
use super::views::ProductView;
use crate::application::{self as app, ListProducts};
use crate::domain::{Product, Rule, StockLevel};

/// Products, newest first
#[utoipa::path(
    get,
    path = "/api/v1/inventory/products",
    operation_id = "list_products",
    tag = "inventory",
    params(
        Search,
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 100, description = "How many at the most; 20 unless told"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of the catalogue", body = Page<ProductView>),
        (status = 422, description = "`validation_failed`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    Params(search): Params<Search>,
    paging: Paging,
) -> Result<axum::Json<Page<ProductView>>, Problem> {
    let search = search
        .parse()
        .map_err(|rule| Problem::invalid_field("search", rule.code, rule.message))?;
    let before = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let asked = ListProducts {
        search,
        before,
        limit: paging.limit + 1,
    };
    let found = app::list_products(&api.inventory, asked).await?;
    let page = Page::cut(found, &paging, |(product, _)| product.id);
    Ok(axum::Json(page.map(ProductView::from)))
}

/// A product
#[utoipa::path(
    get,
    path = "/api/v1/inventory/products/{id}",
    operation_id = "find_product",
    tag = "inventory",
    params(("id" = cleave_vocabulary::ProductId, Path)),
    responses(
        (status = 200, description = "The product", body = ProductView, headers(("ETag" = String, description = "The version, and what is available"))),
        (status = 304, description = "It is as the client has it (`If-None-Match`)"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn find(
    State(api): State<Api>,
    PathId(id): PathId<kind::Product>,
) -> Result<Shown<ProductView>, Problem> {
    let found = app::find_product(&api.inventory, id).await?;
    found.map(shown).ok_or_else(Problem::not_found)
}

/// Adds a product
#[utoipa::path(
    post,
    path = "/api/v1/inventory/products",
    operation_id = "create_product",
    tag = "inventory",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255)),
    request_body = CreateProduct,
    responses(
        (status = 201, description = "The product", body = ProductView, headers(("Location" = String), ("ETag" = String))),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`sku_taken`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    _: Admin,
    scope: Scope,
    Body { value, digest }: Body<CreateProduct>,
) -> Result<Once, Problem> {
    let new = value.parse().map_err(rule)?;
    let inventory = api.inventory;
    let unit = async move |tx: &Tx| {
        let created = app::create_product(tx, &inventory, &new).await?;
        let Shown(tag, view) = shown(created);
        let location = format!("/api/v1/inventory/products/{}", view.id);
        let mut answer = Answer::json(StatusCode::CREATED, &view).located(&location);
        answer.etag = Some(tag);
        Ok(answer)
    };
    api.idempotency.once(&scope, digest, unit).await
}

/// Changes a product
#[utoipa::path(
    patch,
    path = "/api/v1/inventory/products/{id}",
    operation_id = "edit_product",
    tag = "inventory",
    security(("bearer" = [])),
    params(
        ("id" = cleave_vocabulary::ProductId, Path),
        ("If-Match" = String, Header, description = "The `ETag` of the product that is to change; its version is compared"),
    ),
    request_body = EditProduct,
    responses(
        (status = 200, description = "The product", body = ProductView, headers(("ETag" = String))),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version_conflict`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = Problem, content_type = "application/problem+json"),
        (status = 428, description = "`precondition_required`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn edit(
    State(api): State<Api>,
    _: Admin,
    PathId(id): PathId<kind::Product>,
    condition: IfMatch,
    Body { value, .. }: Body<EditProduct>,
) -> Result<Shown<ProductView>, Problem> {
    let changes = value.parse().map_err(rule)?;
    let expected = move |current| condition.check(version(current)).is_ok();
    let edited = app::edit_product(&api.inventory, id, changes, expected).await?;
    Ok(shown(edited))
}

fn shown((product, level): (Product, StockLevel)) -> Shown<ProductView> {
    let tag = tag(product.version, level.available());
    Shown(tag, ProductView::from((product, level)))
}

/// A rule that the body's own check did not ask for: named all the same.
fn rule(rule: Rule) -> Problem {
    Problem::invalid_field("body", rule.code, rule.message)
}
