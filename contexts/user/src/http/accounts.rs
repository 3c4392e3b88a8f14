//! Accounts: made by anyone, looked over by admins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cleave_vocabulary::id::kind;
use cleave_web::{
    Admin, Answer, Body, Call, Cursor, Once, Page, Paging, PathId, Problem, Scope, Tagged, Version,
};

use super::App;
use super::bodies::RegisterBody;
use super::views::UserView;
use crate::application::{find_users, register as registration};
use crate::domain::{EmailAddress, NewAccount, Password, Role};

/// Makes an account.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", operation_id = "register",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat.")),
    request_body = RegisterBody,
    responses(
        (status = 201, description = "The account.", body = UserView, headers(("Location" = String), ("ETag" = String))),
        (status = 409, description = "`email_taken`.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn register(
    State(app): State<App>,
    Call(call): Call,
    scope: Scope,
    body: Body<RegisterBody>,
) -> Result<Once, Problem> {
    // A repeated request need not hash again to learn the first one's outcome.
    if let Some(recorded) = app.idempotency.recorded(&scope, body.digest).await? {
        return Ok(recorded);
    }
    let account = new_account(body.value);
    let account = account.ok_or_else(|| Problem::internal(&"a checked body breaks its rules"))?;
    let account = registration::prepare(&app.services, account).await?;
    let services = app.services.clone();
    app.idempotency
        .once(&scope, body.digest, async move |tx| {
            let user = registration::register(tx, &services, &call, &account).await?;
            let (location, version) = (format!("/api/v1/users/{}", user.id), user.version);
            Ok(Answer::json(StatusCode::CREATED, &UserView::from(user))
                .located(&location)
                .tagged(Version(version)))
        })
        .await
}

/// None where the body breaks a rule, which its extractor has checked already.
fn new_account(body: RegisterBody) -> Option<NewAccount> {
    Some(NewAccount {
        email: EmailAddress::parse(&body.email)?,
        password: Password::new(body.password)?,
        name: body.name,
        role: Role::Customer,
    })
}

/// Lists the users, newest first.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", operation_id = "list_users",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 100; 20 by default."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses(
        (status = 200, description = "A page of users.", body = Page<UserView>),
        (status = 403, description = "`forbidden`: for admins only.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_users(
    State(app): State<App>,
    _: Admin,
    paging: Paging,
) -> Result<Json<Page<UserView>>, Problem> {
    let before = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let users = find_users::list(&app.services.store, before, paging.limit + 1).await?;
    Ok(Json(
        Page::cut(users, &paging, |user| user.id).map(UserView::from),
    ))
}

/// Shows a user.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = cleave_vocabulary::UserId, Path)),
    responses(
        (status = 200, description = "The user.", body = UserView, headers(("ETag" = String))),
        (status = 403, description = "`forbidden`: for admins only.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_user(
    State(app): State<App>,
    _: Admin,
    PathId(id): PathId<kind::User>,
) -> Result<Tagged<UserView>, Problem> {
    let user = find_users::find(&app.services.store, id).await?;
    let user = user.ok_or_else(Problem::not_found)?;
    Ok(Tagged(Version(user.version), user.into()))
}
