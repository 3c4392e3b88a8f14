//! One's own messages.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cleave_store::Unit;
use cleave_vocabulary::NotificationId;
use cleave_vocabulary::id::kind;
use cleave_web::{Answer, Caller, Cursor, NoBody, Once, Page, Paging, PathId, Problem, Scope};

use super::App;
use super::views::NotificationView;
use crate::application::mark_read::{NoSuchMessage, mark_read};
use crate::application::read_inbox::read_inbox;

/// Lists one's own notifications, newest first.
#[utoipa::path(
    get, path = "/api/v1/notifications", tag = "notifications", operation_id = "list_notifications",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 100; 20 by default."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses(
        (status = 200, description = "A page of notifications.", body = Page<NotificationView>),
        (status = 401, description = "`unauthorized`.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_notifications(
    State(app): State<App>,
    caller: Caller,
    paging: Paging,
) -> Result<Json<Page<NotificationView>>, Problem> {
    let before = paging.cursor.as_ref().map(Cursor::decode).transpose()?;
    let messages = read_inbox(&app.store, caller.user, before, paging.limit + 1).await?;
    let page = Page::cut(messages, &paging, |message| message.id);
    Ok(Json(page.map(NotificationView::from)))
}

/// Marks one of one's own notifications as read.
#[utoipa::path(
    post, path = "/api/v1/notifications/{id}/read", tag = "notifications", operation_id = "read_notification",
    params(
        ("id" = NotificationId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat."),
    ),
    responses(
        (status = 200, description = "The notification.", body = NotificationView),
        (status = 401, description = "`unauthorized`.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn read_notification(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<kind::Notification>,
    scope: Scope,
    NoBody { digest }: NoBody,
) -> Result<Once, Problem> {
    let clock = app.clock.clone();
    app.idempotency
        .once(
            &scope,
            digest,
            async move |tx| -> Unit<Answer, NoSuchMessage> {
                let read = mark_read(tx, caller.user, id, clock.now()).await?;
                Ok(Answer::json(StatusCode::OK, &NotificationView::from(read)))
            },
        )
        .await
}
