//! One commit of a saga: what the step's hook makes of the outcome, the row, and
//! the log, or nothing of it.

use std::sync::Arc;

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{SagaId, Timestamp};
use sea_orm::DbErr;

use super::driver::Data;
use crate::StepCall;
use crate::course::{Hook, Move};
use crate::persistence::{Commit, Hold, Missed, append};
use crate::plan::Plan;
use crate::position::Position;

/// What is to be written; kept, because the store may have to be asked again.
pub(super) struct Write<T> {
    pub(super) plan: Arc<Plan<T>>,
    pub(super) id: SagaId,
    pub(super) fence: i64,
    pub(super) from: Position,
    pub(super) data: Arc<T>,
    pub(super) call: StepCall,
    pub(super) decision: Move,
    pub(super) hold: Hold,
    pub(super) now: Timestamp,
}

impl<T: Data> Write<T> {
    /// The hook comes first, because the row keeps what it makes of the data;
    /// where the row then turns out to be someone else's, all is rolled back.
    pub(super) async fn run(&self, tx: &Tx) -> Unit<Option<T>, Missed> {
        let data = self.tell(tx).await?;
        let text = serde_json::to_string(data.as_ref().unwrap_or(&self.data))
            .map_err(|error| DbErr::Json(error.to_string()))?;
        let commit = Commit {
            id: self.id,
            fence: self.fence,
            from: &self.from,
            cancelled: self.call.cancelled,
            to: &self.decision.next,
            error: self.decision.error.as_deref(),
            data: text,
            hold: self.hold,
            now: self.now,
        };
        if let Some(missed) = commit.apply(tx).await? {
            return Err(UnitError::Refused(missed));
        }
        append(tx, self.id, self.now, &self.decision.lines).await?;
        Ok(data)
    }

    async fn tell(&self, tx: &Tx) -> Result<Option<T>, DbErr> {
        if self.decision.hook == Hook::None {
            return Ok(None);
        }
        let step = &self.plan.steps[self.from.step];
        let mut data = T::clone(&self.data);
        let call = &self.call;
        match &self.decision.hook {
            Hook::None => {}
            Hook::Done(output) => step.on_done(tx, call, &mut data, output).await?,
            Hook::Refused(refusal) => step.on_refused(tx, call, &mut data, refusal).await?,
            Hook::Failed(error) => step.on_failed(tx, call, &mut data, error).await?,
            Hook::Undone => step.on_undone(tx, call, &mut data).await?,
            Hook::Stuck(error) => step.on_stuck(tx, call, &mut data, error).await?,
        }
        Ok(Some(data))
    }
}
