//! Sagas as people see them: from the row, the log, and the definition's steps.

use std::sync::Arc;

use cleave_store::{Tx, Unit};
use cleave_vocabulary::{SagaId, Timestamp};
use sea_orm::DbErr;

use super::SagaFilter;
use super::core::Core;
use crate::persistence::{self, Entry, Row, by_id, entries, listed, status_of};
use crate::{SagaStatus, SagaView, record};

pub(crate) async fn find(core: &Arc<Core>, id: SagaId) -> Unit<Option<SagaView>> {
    let reader = Arc::clone(core);
    let query =
        async move |tx: &Tx| -> Unit<Option<SagaView>> { Ok(view_of(&reader, tx, id).await?) };
    core.store.read(query).await
}

pub(crate) async fn view_of(core: &Core, tx: &Tx, id: SagaId) -> Result<Option<SagaView>, DbErr> {
    let Some(row) = by_id(tx, id).await? else {
        return Ok(None);
    };
    let log = entries(tx, &[id]).await?;
    Ok(Some(view(core, row, &log)))
}

pub(crate) async fn list(core: &Arc<Core>, filter: SagaFilter) -> Unit<Vec<SagaView>> {
    let reader = Arc::clone(core);
    let query = async move |tx: &Tx| -> Unit<Vec<SagaView>> {
        let rows = listed(tx, &filter).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let log = entries(tx, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| view(&reader, row, &log))
            .collect())
    };
    core.store.read(query).await
}

fn view(core: &Core, row: Row, log: &[Entry]) -> SagaView {
    let plan = core.plan(&row.kind, row.version);
    let own: Vec<_> = log.iter().filter(|entry| entry.saga == row.id).collect();
    record::view(row, &own, plan.as_ref().map(|plan| plan.metas()))
}

pub(crate) async fn unowned(core: &Arc<Core>) -> Unit<Vec<SagaId>> {
    let (owner, alone) = (core.owner, core.sole_owner);
    let (now, grace) = (core.clock.now(), core.options.lease);
    let query = async move |tx: &Tx| -> Unit<Vec<(SagaId, bool)>> {
        Ok(persistence::unowned(tx, owner, alone, now, grace).await?)
    };
    let suspects = core.store.read(query).await?;
    // What this engine is said to hold is owned as long as a task drives it.
    let unowned = suspects
        .into_iter()
        .filter(|(id, own)| !own || !core.drives(*id));
    Ok(unowned.map(|(id, _)| id).collect())
}

pub(crate) async fn wait_settled(
    core: &Arc<Core>,
    subject: &str,
    deadline: Timestamp,
) -> Unit<Option<SagaStatus>> {
    // Waits from before it looks, so that no end falls in between.
    let mut waiter = core.settled.waiter(subject);
    loop {
        let status = status(core, subject).await?;
        let now = core.own_clock.now();
        if status.is_none_or(SagaStatus::is_settled) || now >= deadline {
            return Ok(status);
        }
        // Another process may bring it to its end, and tells nobody here.
        let look = now.plus(core.options.poll * LOOK_EVERY).min(deadline);
        tokio::select! {
            biased;
            told = waiter.told() => return Ok(told),
            () = core.own_clock.sleep_until(look) => {}
        }
    }
}

/// Polls that pass between two looks at a saga that somebody waits for.
const LOOK_EVERY: u32 = 4;

async fn status(core: &Core, subject: &str) -> Unit<Option<SagaStatus>> {
    let subject = subject.to_owned();
    let query =
        async move |tx: &Tx| -> Unit<Option<SagaStatus>> { Ok(status_of(tx, &subject).await?) };
    core.store.read(query).await
}
