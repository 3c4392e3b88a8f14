//! Queues the messages that tell users of events.

use cleave_store::{Signal, Tx};
use sea_orm::DbErr;

use crate::domain::Queued;
use crate::persistence::notifications;

/// Raised by a commit that queued messages or made them due.
pub(crate) const QUEUED: Signal = "notifications";

/// Queues messages. Whether their recipients are known yet is the sender's
/// concern: the event of an order may come before that of its owner's registration.
pub(crate) async fn notify(tx: &Tx, queued: &[Queued]) -> Result<(), DbErr> {
    notifications::queue(tx, queued).await?;
    if !queued.is_empty() {
        tx.signal(QUEUED);
    }
    Ok(())
}
