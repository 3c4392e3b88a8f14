//! Sagas that this engine is said to hold while no task of it drives them: what
//! claimed or moved them was committed, and the answer was lost. They are let go of
//! once that shows, or they would stand still until their claims lapse.

use std::sync::Arc;

use cleave_store::{Tx, Unit};

use super::core::Core;
use crate::persistence::{held, let_go};

/// Looks for them where there may be some.
pub(super) struct Adrift<'a> {
    core: &'a Arc<Core>,
    /// How many answers the store had lost when this looked.
    unanswered: u64,
}

impl<'a> Adrift<'a> {
    pub(super) fn new(core: &'a Arc<Core>) -> Self {
        let unanswered = core.store.write_stats().unanswered;
        Self { core, unanswered }
    }

    /// Makes them due. One that is just being begun may be among them: its driver
    /// then finds that it is somebody else's, and it is claimed again.
    pub(super) async fn let_go(&mut self) {
        let unanswered = self.core.store.write_stats().unanswered;
        let lost = std::mem::replace(&mut self.unanswered, unanswered) != unanswered;
        if !self.core.take_adrift() && !lost {
            return;
        }
        let (core, now) = (Arc::clone(self.core), self.core.clock.now());
        let unit = async move |tx: &Tx| -> Unit<u64> {
            let mut adrift = held(tx, core.owner).await?;
            adrift.retain(|id| !core.drives(*id));
            Ok(let_go(tx, core.owner, &adrift, now).await?)
        };
        match self.core.store.write(unit).await {
            Ok(0) => {}
            Ok(sagas) => tracing::info!(sagas, "taking up sagas that nobody drove any more"),
            Err(error) => {
                tracing::debug!(%error, "sagas that nobody drives are looked for again");
                self.core.set_adrift();
            }
        }
    }
}
