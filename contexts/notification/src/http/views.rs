//! What goes out.

use cleave_vocabulary::{NotificationId, OrderId, Timestamp};
use cleave_web::schema::one_of;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Schema;

use crate::domain::{EMAIL, Kind, Notification, Status};

/// A message to a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
pub(super) struct NotificationView {
    id: NotificationId,
    /// What it is about.
    #[schema(schema_with = kinds)]
    kind: String,
    /// How it is sent.
    #[schema(schema_with = channels)]
    channel: String,
    /// One line.
    subject: String,
    /// Plain text.
    body: String,
    /// The order that it is about.
    #[schema(required)]
    order_id: Option<OrderId>,
    status: NotificationStatus,
    /// When its user first marked it as read.
    #[schema(required)]
    read_at: Option<Timestamp>,
    created_at: Timestamp,
}

fn kinds() -> Schema {
    one_of(Kind::ALL.map(Kind::as_str))
}

fn channels() -> Schema {
    one_of([EMAIL])
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NotificationStatus {
    /// It waits to be sent.
    Queued,
    /// It was sent.
    Sent,
    /// It could not be sent.
    Failed,
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        Self {
            id: notification.id,
            kind: notification.kind,
            channel: notification.channel,
            subject: notification.subject,
            body: notification.body,
            order_id: notification.order,
            status: match notification.status {
                Status::Queued => NotificationStatus::Queued,
                Status::Sent => NotificationStatus::Sent,
                Status::Failed => NotificationStatus::Failed,
            },
            read_at: notification.read_at,
            created_at: notification.created_at,
        }
    }
}
