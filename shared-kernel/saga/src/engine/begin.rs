//! How a saga begins: its row and the first lines of its log in the caller's
//! unit of work, claimed already, so that its driver can start from memory as
//! soon as the unit has committed.

use std::sync::Arc;

use cleave_store::Tx;
use sea_orm::DbErr;

use super::Begin;
use super::core::Core;
use super::driver::{Driver, Live};
use crate::course::Line;
use crate::persistence::{Row, append, insert};
use crate::plan::Plan;
use crate::position::{ACTION, Phase, Position, State};
use crate::{Definition, StepKind};

pub(crate) async fn begin<D: Definition>(
    core: &Arc<Core>,
    tx: &Tx,
    begin: Begin<D::Data>,
) -> Result<(), DbErr> {
    let Some(plan) = core.typed::<D>() else {
        return Err(defect::<D>("is not registered"));
    };
    if begin.done_steps >= plan.metas.len() {
        return Err(defect::<D>("would begin behind its last step"));
    }
    // Without room, or while the engine does not run, it is left to the poller.
    let room = core.shift().and_then(|shift| Some((shift.admit()?, shift)));
    let at = first_position(&plan, begin.done_steps, room.is_some());
    let row = row_of::<D>(core, &begin, at, room.is_some())?;
    insert(tx, &row).await?;
    append(tx, begin.id, row.created_at, &first_lines(&plan, &at)).await?;

    let core = Arc::clone(core);
    let Some((room, shift)) = room else {
        tx.after_commit(move || core.due(row.created_at));
        return Ok(());
    };
    let live = Live {
        id: row.id,
        subject: row.subject,
        fence: row.fence,
        at,
        recovered: false,
        reason: None,
        data: Arc::new(begin.data),
        call: row.call,
        held_until: row.created_at.plus(core.options.lease),
    };
    tx.after_commit(move || {
        let enlisted = core.enlist(live.id);
        let driver = Driver::new(core, Arc::clone(&shift), plan, live);
        shift.spawn(room, enlisted, driver.run());
    });
    Ok(())
}

fn defect<D: Definition>(what: &str) -> DbErr {
    DbErr::Custom(format!("saga {} version {} {what}", D::KIND, D::VERSION))
}

fn first_position<T>(plan: &Plan<T>, done: usize, driven: bool) -> Position {
    let done_steps = &plan.metas[..done];
    let phase = if done_steps.iter().any(|step| step.kind == StepKind::Pivot) {
        Phase::Forward
    } else {
        Phase::Acting
    };
    if driven {
        Position::started(phase, done)
    } else {
        Position::ready(phase, done)
    }
}

fn row_of<D: Definition>(
    core: &Core,
    begin: &Begin<D::Data>,
    at: Position,
    driven: bool,
) -> Result<Row, DbErr> {
    let now = core.clock.now();
    let due = if driven {
        now.plus(core.options.lease)
    } else {
        now
    };
    let mut call = begin.call.clone();
    call.deadline = None;
    Ok(Row {
        id: begin.id,
        kind: D::KIND.to_owned(),
        version: D::VERSION,
        subject: begin.subject.clone(),
        at,
        error: None,
        cancel_reason: None,
        data: serde_json::to_string(&begin.data).map_err(|e| DbErr::Json(e.to_string()))?,
        call,
        owner: driven.then_some(core.owner),
        fence: 1,
        due_at: Some(due),
        created_at: now,
        updated_at: now,
    })
}

/// What the caller's unit did, and what starts with it.
fn first_lines<T>(plan: &Plan<T>, at: &Position) -> Vec<Line> {
    let line = |step: usize, outcome| Line {
        phase: ACTION,
        step,
        name: plan.metas[step].name,
        outcome,
        attempt: 1,
        detail: None,
    };
    let mut lines: Vec<_> = (0..at.step).map(|step| line(step, "done")).collect();
    if at.state == State::Started {
        lines.push(line(at.step, "started"));
    }
    lines
}
