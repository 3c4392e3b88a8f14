//! Shows a user their own messages.

use cleave_store::{Store, StoreError, Unit, UnitError};
use cleave_vocabulary::{NotificationId, UserId};

use crate::domain::Notification;
use crate::persistence::notifications;

/// Up to `limit` of the user's messages, newest first, behind `before` where given.
pub(crate) async fn read_inbox(
    store: &Store,
    user: UserId,
    before: Option<NotificationId>,
    limit: u64,
) -> Result<Vec<Notification>, StoreError> {
    let read = store.read(async move |tx| -> Unit<_> {
        Ok(notifications::list(tx, user, before, limit).await?)
    });
    read.await.map_err(UnitError::into_store_error)
}
