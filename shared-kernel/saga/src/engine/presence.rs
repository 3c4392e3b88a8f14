//! Says that this engine lives, and lets go of what engines hold that no longer
//! say so: a claim must outlast a step, which is long; a sign of life need not.
//! Who was only slow loses its sagas by their fences, and goes on with others.

use cleave_lease::rows::{announce, forget_lapsed};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::Timestamp;
use sea_orm::DbErr;
use uuid::Uuid;

use super::core::Core;
use crate::persistence::release;

/// What the leases of engines are called, before their owner's id.
const PREFIX: &str = "sagas of ";
/// Signs of life within their time: two may be missed.
const SIGNS: u32 = 3;

/// Goes on for as long as the engine runs.
pub(super) async fn keep(core: &Core) -> ! {
    loop {
        core.clock.sleep(core.options.presence / SIGNS).await;
        look(core).await;
    }
}

/// A sign of life, and a look at who gives none.
pub(super) async fn look(core: &Core) {
    let (owner, now) = (core.owner, core.clock.now());
    let until = now.plus(core.options.presence);
    let unit = async move |tx: &Tx| -> Unit<u64> {
        announce(tx, &name(owner), &owner.to_string(), until).await?;
        let mut sagas = 0;
        for gone in forget_lapsed(tx, PREFIX, now).await? {
            let gone = gone.strip_prefix(PREFIX).map(Uuid::parse_str);
            if let Some(Ok(gone)) = gone {
                sagas += release(tx, gone, now).await?;
            }
        }
        Ok(sagas)
    };
    match core.store.write(unit).await {
        Ok(0) => {}
        Ok(sagas) => {
            tracing::info!(sagas, "taking up sagas of a process that is gone");
            core.due(now);
        }
        Err(error) => tracing::warn!(%error, "this process could not say that it lives"),
    }
}

fn name(owner: Uuid) -> String {
    format!("{PREFIX}{owner}")
}

/// Says goodbye, within the unit that lets go of everything.
pub(super) async fn leave(tx: &Tx, owner: Uuid) -> Result<(), DbErr> {
    // Whoever looks next clears it away.
    announce(tx, &name(owner), &owner.to_string(), Timestamp::EPOCH).await
}
