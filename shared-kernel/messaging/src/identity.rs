//! Which database a context's events come from and are settled in. It moves with
//! the data and outlives every setting, so that a bus can tell a context that was
//! moved from another one under the same name. What it can't tell apart is a
//! database and a copy of it.

use cleave_store::{Store, StoreError, Tx, Unit, UnitError};
use cleave_vocabulary::IdSource;
use sea_orm::DbErr;

use crate::sql::{execute, query_one};

/// The identity of a context's database; given by who first asks.
pub async fn identity(store: &Store, ids: &dyn IdSource) -> Result<String, StoreError> {
    let own = ids.uuid().to_string();
    let unit = async move |tx: &Tx| -> Unit<String> { Ok(given(tx, &own).await?) };
    let identity = store.write(unit).await;
    identity.map_err(UnitError::into_store_error)
}

async fn given(tx: &Tx, own: &str) -> Result<String, DbErr> {
    const GIVE: &str = "INSERT INTO context_identity (id, identity) VALUES (1, $1) \
         ON CONFLICT (id) DO NOTHING";
    const GIVEN: &str = "SELECT identity FROM context_identity WHERE id = 1";
    execute(tx, GIVE, vec![own.into()]).await?;
    let row = query_one(tx, GIVEN, vec![]).await?;
    row.map_or_else(|| Ok(own.to_owned()), |row| row.try_get("", "identity"))
}
