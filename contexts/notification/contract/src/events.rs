//! What happened to messages. Events only grow by optional
//! fields; another meaning is a new version.

use cleave_vocabulary::{Event, NotificationId, OrderId, UserId};
use serde::{Deserialize, Serialize};

/// A message went out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationSent {
    /// The message.
    pub notification_id: NotificationId,
    /// To whom.
    pub user_id: UserId,
    /// `order_paid`.
    pub kind: String,
    /// `email`.
    pub channel: String,
    /// About which order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
}

impl Event for NotificationSent {
    const TYPE: &'static str = "notification.sent";

    fn subject(&self) -> String {
        self.notification_id.to_string()
    }
}

/// A message could not be sent, for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationFailed {
    /// The message.
    pub notification_id: NotificationId,
    /// To whom.
    pub user_id: UserId,
    /// `order_paid`.
    pub kind: String,
    /// `email`.
    pub channel: String,
    /// About which order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Why.
    pub error: String,
}

impl Event for NotificationFailed {
    const TYPE: &'static str = "notification.failed";

    fn subject(&self) -> String {
        self.notification_id.to_string()
    }
}
