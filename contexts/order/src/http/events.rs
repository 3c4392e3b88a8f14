//! `GET /orders/{id}/events`: the timeline as Server-Sent Events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cleave_vocabulary::OrderId;
use cleave_vocabulary::id::kind;
use cleave_web::{Caller, PathId, Problem};
use futures::StreamExt;
use http::request::Parts;
use http::{HeaderName, StatusCode};

use crate::application::{Followed, Orders};
use crate::domain::timeline::{Cursor, Item, Told};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The timeline of an order, live: each item as one event, until the order's
/// end. With `Last-Event-ID` it goes on behind that event; 204 where nothing
/// lies behind it and nothing will, which tells a browser to stop asking.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{id}/events",
    tag = "orders",
    operation_id = "follow_order",
    params(("id" = OrderId, Path), ("Last-Event-ID" = Option<String>, Header)),
    responses(
        (status = 200, body = Item, content_type = "text/event-stream"),
        (status = 204, description = "The story is at its end."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn follow_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    PathId(id): PathId<kind::Order>,
    LastEventId(place): LastEventId,
) -> Result<Response, Problem> {
    let story = match orders.follow(&caller, id, place).await? {
        Followed::Over => return Ok(StatusCode::NO_CONTENT.into_response()),
        Followed::Live(story) => story.map(|told| Ok::<_, Infallible>(event(&told))),
    };
    let keep_alive = KeepAlive::new().interval(orders.settings.follow.keep_alive);
    Ok(Sse::new(story).keep_alive(keep_alive).into_response())
}

fn event(told: &Told) -> Event {
    // Items are plain data: what can't be JSON is a defect, and shows as no data.
    let data = serde_json::to_string(&told.item).unwrap_or_default();
    Event::default().id(told.place.to_string()).data(data)
}

/// Where the client's last stream stopped. An empty id is none, as the
/// specification has it.
pub(super) struct LastEventId(Option<Cursor>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(LAST_EVENT_ID) else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or("not text");
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse()
            .map(|place| Self(Some(place)))
            .map_err(|expected| Problem::invalid_field("Last-Event-ID", "invalid", expected))
    }
}
