//! Looks users up.

use cleave_store::{Store, StoreError, Unit, UnitError};
use cleave_vocabulary::UserId;

use crate::domain::User;
use crate::persistence::users;

/// The user of that id.
pub(crate) async fn find(store: &Store, id: UserId) -> Result<Option<User>, StoreError> {
    let found = store.read(async move |tx| Unit::Ok(users::find(tx, id).await?));
    found.await.map_err(UnitError::into_store_error)
}

/// Up to `limit` users, newest first, behind `before` where given.
pub(crate) async fn list(
    store: &Store,
    before: Option<UserId>,
    limit: u64,
) -> Result<Vec<User>, StoreError> {
    let listed = store.read(async move |tx| Unit::Ok(users::list(tx, before, limit).await?));
    listed.await.map_err(UnitError::into_store_error)
}
