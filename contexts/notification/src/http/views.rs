//! What goes out.

use cleave_vocabulary::{NotificationId, OrderId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Notification, Status};

/// A message to a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
pub(super) struct NotificationView {
    id: NotificationId,
    /// What it is about.
    #[schema(example = "order_paid")]
    kind: String,
    /// How it is sent.
    #[schema(example = "email")]
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
