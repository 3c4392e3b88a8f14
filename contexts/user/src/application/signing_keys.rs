//! The keys that access tokens are signed with. The first is made when one is
//! first asked for; which one signs is read anew for each token, so that a new
//! key takes effect at once wherever this context runs.

use cleave_store::{StoreError, Tx, Unit, UnitError};
use cleave_user_contract::port::SigningKeys;
use cleave_vocabulary::Timestamp;
use sea_orm::DbErr;
use serde_json::json;

use super::Services;
use crate::credentials::SigningKey;
use crate::persistence::signing_keys as rows;

/// The key that signs at `now`; made here where there is none.
pub(crate) async fn current(tx: &Tx, now: Timestamp) -> Result<SigningKey, DbErr> {
    match rows::newest(tx).await? {
        Some(key) => Ok(key),
        None => add(tx, now).await,
    }
}

async fn add(tx: &Tx, now: Timestamp) -> Result<SigningKey, DbErr> {
    let key = SigningKey::generate(now).map_err(|error| DbErr::Custom(error.to_string()))?;
    rows::insert(tx, &key).await?;
    Ok(key)
}

/// The public halves of all keys, newest first.
pub(crate) async fn public(services: &Services) -> Result<SigningKeys, StoreError> {
    let known = services
        .store
        .read(async |tx| Unit::Ok(rows::all(tx).await?));
    let mut keys = known.await.map_err(UnitError::into_store_error)?;
    if keys.is_empty() {
        let now = services.clock.now();
        let first = services
            .store
            .write(async move |tx| Unit::Ok(current(tx, now).await?));
        keys.push(first.await.map_err(UnitError::into_store_error)?);
    }
    let keys: Vec<_> = keys.iter().map(SigningKey::jwk).collect();
    Ok(SigningKeys {
        jwks: json!({ "keys": keys }),
    })
}

/// Adds a key, which signs from now on; returns its `kid`.
pub(crate) async fn rotate(services: &Services) -> Result<String, StoreError> {
    let now = services.clock.now();
    let added = services
        .store
        .write(async move |tx| Unit::Ok(add(tx, now).await?.kid().to_owned()));
    added.await.map_err(UnitError::into_store_error)
}

/// Drops the keys that no token of theirs can outlive: those that had a successor
/// already when the oldest access token still good was issued.
pub(crate) async fn retire(tx: &Tx, oldest_token: Timestamp) -> Result<u64, DbErr> {
    match rows::newest(tx).await? {
        Some(newest) if newest.created_at < oldest_token => rows::retire_all_but(tx, &newest).await,
        _ => Ok(0),
    }
}
