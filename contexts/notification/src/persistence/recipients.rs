//! The table `recipients`: who can be written to, as `user.registered` told.

use cleave_store::{Tx, sql};
use cleave_user_contract::events::UserRegistered;
use sea_orm::DbErr;

/// Remembers a recipient; one who is known already stays as they are.
pub(crate) async fn insert(tx: &Tx, user: &UserRegistered) -> Result<(), DbErr> {
    const INSERT: &str = "INSERT INTO recipients (user_id, email, name, registered_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO NOTHING";
    let values = vec![
        user.user_id.uuid().into(),
        user.email.as_str().into(),
        user.name.as_str().into(),
        user.registered_at.as_micros().into(),
    ];
    sql::execute(tx, INSERT, values).await?;
    Ok(())
}
