//! Ends a session at its user's wish: its refresh tokens are good for nothing
//! from then on. Its last access token runs out by itself, within minutes.

use cleave_store::{StoreError, Unit, UnitError};

use super::Services;
use crate::domain::{EndReason, SessionId};
use crate::persistence::sessions;

/// Ends it; one that is over already stays as it is.
pub(crate) async fn end_session(services: &Services, session: SessionId) -> Result<(), StoreError> {
    let now = services.clock.now();
    let ended = services.store.write(async move |tx| {
        sessions::end(tx, session, EndReason::SignedOut, now).await?;
        Unit::Ok(())
    });
    ended.await.map_err(UnitError::into_store_error)
}
