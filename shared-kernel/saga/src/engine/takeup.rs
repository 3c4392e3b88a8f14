//! A person takes up a saga that is stuck or waits.

use std::sync::Arc;

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{SagaId, Timestamp};
use serde_json::json;

use super::core::Core;
use super::views::view_of;
use super::{NoSuchSaga, Takeup};
use crate::course::{Line, name};
use crate::persistence::{Row, append, by_id, place};
use crate::position::{Phase, Position};
use crate::{COMPENSATED_BY_HAND, SagaStatus, SagaView, metering};

pub(crate) async fn take_up(
    core: &Arc<Core>,
    id: SagaId,
    how: Takeup,
) -> Unit<SagaView, NoSuchSaga> {
    let now = core.clock.now();
    let unit = {
        let core = Arc::clone(core);
        async move |tx: &Tx| -> Unit<(SagaView, bool), NoSuchSaga> {
            let Some(row) = by_id(tx, id).await? else {
                return Err(UnitError::Refused(NoSuchSaga::Unknown));
            };
            let Some(placed) = placed(&row, how) else {
                return Err(UnitError::Refused(NoSuchSaga::NotApplicable));
            };
            write(&core, tx, &row, placed, now).await?;
            let view = view_of(&core, tx, id).await?;
            let view = view.ok_or(UnitError::Refused(NoSuchSaga::Unknown))?;
            Ok((view, row.at.status == SagaStatus::Stuck))
        }
    };
    let (view, was_stuck) = core.store.write(unit).await?;
    if was_stuck {
        metering::unstuck();
    }
    core.due(now);
    Ok(view)
}

/// Where the saga is put, and what the log calls it.
struct Placed {
    to: Position,
    outcome: &'static str,
    reason: Option<&'static str>,
}

/// `None` where nothing can be taken up.
fn placed(row: &Row, how: Takeup) -> Option<Placed> {
    let at = &row.at;
    if !matches!(at.status, SagaStatus::Waiting | SagaStatus::Stuck) {
        return None;
    }
    match (how, at.phase) {
        (Takeup::Compensate, Phase::Forward) => None,
        // What was not answered is not asked for any more: its undo is the same
        // whether it happened or not.
        (Takeup::Compensate, Phase::Acting) => Some(Placed {
            to: Position::ready(Phase::Undoing, at.step),
            outcome: "cancelled",
            reason: Some(COMPENSATED_BY_HAND),
        }),
        (Takeup::Compensate, Phase::Undoing) | (Takeup::Retry, _) => {
            let status = match at.phase {
                Phase::Acting | Phase::Forward => SagaStatus::Waiting,
                Phase::Undoing => SagaStatus::Compensating,
            };
            Some(Placed {
                to: Position {
                    status,
                    tries: 0,
                    ..*at
                },
                outcome: "retried",
                reason: None,
            })
        }
    }
}

async fn write(
    core: &Core,
    tx: &Tx,
    row: &Row,
    placed: Placed,
    now: Timestamp,
) -> Unit<(), NoSuchSaga> {
    let reason = row.cancel_reason.as_deref().or(placed.reason);
    if !place(tx, row, &placed.to, reason, now).await? {
        return Err(UnitError::Refused(NoSuchSaga::NotApplicable));
    }
    let plan = core.plan(&row.kind, row.version);
    let step = plan.as_ref().and_then(|plan| plan.metas().get(row.at.step));
    let line = Line {
        phase: row.at.phase.logged(),
        step: row.at.step,
        name: step.map_or("", |step| name(step, row.at.phase)),
        outcome: placed.outcome,
        attempt: row.at.attempt,
        detail: placed.reason.map(|reason| json!(reason)),
    };
    append(tx, row.id, now, &[line]).await?;
    Ok(())
}
