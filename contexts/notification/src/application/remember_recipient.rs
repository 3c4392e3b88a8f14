//! Remembers who can be written to, and lets go what waited for them.

use cleave_store::Tx;
use cleave_user_contract::events::UserRegistered;
use sea_orm::DbErr;

use super::notify::QUEUED;
use crate::persistence::{notifications, recipients};

/// Remembers the recipient; messages that came before them are due now.
pub(crate) async fn remember_recipient(tx: &Tx, user: &UserRegistered) -> Result<(), DbErr> {
    recipients::insert(tx, user).await?;
    notifications::make_due(tx, user.user_id).await?;
    tx.signal(QUEUED);
    Ok(())
}
