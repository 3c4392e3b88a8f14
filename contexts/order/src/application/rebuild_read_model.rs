//! Makes the read model anew from the context's event history, which is its
//! outbox. Rows of the read model only move forward, so the live handler may
//! go on beside it.

use std::collections::HashMap;

use cleave_messaging::Outbox;
use cleave_store::{Store, Tx, Unit};
use cleave_vocabulary::{Envelope, OrderId, UserId};
use serde::Deserialize;

use super::status_told_by;
use crate::domain::Status;
use crate::persistence::{self as rows, Seen};

/// Events read at a time.
const BATCH: u64 = 1000;

/// Rebuilds the read model of orders.
#[derive(Clone)]
pub struct Rebuild {
    pub(crate) store: Store,
}

/// What every event of an order says.
#[derive(Deserialize)]
pub(crate) struct Whose {
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
}

impl Rebuild {
    /// Forgets the read model and fills it from the history, in batches; says
    /// after each how many events it has read, and in the end returns that.
    pub async fn run(&self, mut progress: impl FnMut(u64)) -> Unit<u64> {
        self.store
            .write(async |tx| Ok(rows::clear_view(tx).await?))
            .await?;
        let (mut place, mut read) = (0, 0);
        loop {
            let batch = self
                .store
                .write(async move |tx| apply_batch(tx, place).await)
                .await?;
            let Some(last) = batch.last else {
                return Ok(read);
            };
            place = last;
            read += batch.events;
            progress(read);
        }
    }
}

struct Batch {
    last: Option<i64>,
    events: u64,
}

/// Applies the next events of the history.
async fn apply_batch(tx: &Tx, after: i64) -> Unit<Batch> {
    let history = Outbox::history(tx, after, BATCH).await?;
    let mut furthest: HashMap<OrderId, (Status, Seen)> = HashMap::new();
    for (_, event) in &history {
        if let Some((status, seen)) = seen_in(event) {
            let known = furthest.entry(seen.order).or_insert((status, seen));
            if known.0.precedes(status) {
                *known = (status, seen);
            }
        }
    }
    for status in Status::ALL {
        let reached = furthest.values().filter(|(reached, _)| *reached == status);
        let mut reached: Vec<Seen> = reached.map(|(_, seen)| *seen).collect();
        // In the order of the key, as the table keeps them.
        reached.sort_by_key(|seen| seen.order);
        rows::record_in_view(tx, status, &reached).await?;
    }
    Ok(Batch {
        last: history.last().map(|(seq, _)| *seq),
        events: history.len() as u64,
    })
}

/// What an event says to the read model; nothing, where it is not of an order.
fn seen_in(event: &Envelope) -> Option<(Status, Seen)> {
    let status = status_told_by(&event.kind)?;
    let whose: Whose = serde_json::from_str(event.data.get()).ok()?;
    let seen = Seen {
        order: whose.order_id,
        user: whose.user_id,
        at: event.time,
    };
    Some((status, seen))
}
