//! Marks a message as read by its user.

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{NotificationId, Timestamp, UserId};

use crate::domain::Notification;
use crate::persistence::notifications;

/// There is no such message to that user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSuchMessage;

/// Marks it; one that was read before keeps the time of its first reading.
pub(crate) async fn mark_read(
    tx: &Tx,
    user: UserId,
    id: NotificationId,
    now: Timestamp,
) -> Unit<Notification, NoSuchMessage> {
    let read = notifications::mark_read(tx, user, id, now).await?;
    read.ok_or(UnitError::Refused(NoSuchMessage))
}
