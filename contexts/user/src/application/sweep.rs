//! Clears away what nobody can use any more: sessions long past, and signing
//! keys long succeeded.

use std::sync::Arc;

use cleave_store::{StoreError, Unit, UnitError};
use tokio_util::sync::CancellationToken;

use super::{Services, signing_keys};
use crate::persistence::sessions;

/// Sessions forgotten in one unit of work.
const AT_ONCE: u64 = 200;

/// Sweeps at once and then now and again, until `stop`.
pub(crate) async fn run(services: Arc<Services>, stop: CancellationToken) {
    let every = services.settings.sweep_every;
    loop {
        if let Err(error) = sweep(&services).await {
            tracing::warn!(%error, "could not clear away old sessions; it is tried again later");
        }
        let pause = services.clock.sleep(every);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

/// One sweep; returns how many sessions it forgot.
pub(crate) async fn sweep(services: &Services) -> Result<u64, StoreError> {
    let settings = &services.settings;
    let now = services.clock.now();
    let oldest_token = now.minus(settings.access_token_ttl);
    let forgettable = now.minus(settings.session_retention);
    let mut forgotten = 0;
    loop {
        let part = services.store.write(async move |tx| {
            signing_keys::retire(tx, oldest_token).await?;
            Unit::Ok(sessions::forget(tx, forgettable, AT_ONCE).await?)
        });
        let part = part.await.map_err(UnitError::into_store_error)?;
        forgotten += part;
        if part < AT_ONCE {
            return Ok(forgotten);
        }
    }
}
