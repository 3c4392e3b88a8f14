//! Follows an outbox by its numbers and passes none that may still be committed.
//!
//! Where units run side by side, a number is drawn before its commit, and one
//! that is missing belongs to a unit under way or to one that was undone. The
//! first is waited for; the second is passed. To tell them apart the follower
//! draws a transaction id of its own once it has seen a higher number: whoever
//! drew the missing one has a lower id (the column's default sees to that), and
//! has come to its end when no lower id is under way any more.

use std::time::Duration;

use cleave_store::{Store, Tx, Unit};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::Outbox;
use crate::outbox::Row;
use crate::sql::query_one;

/// The first wait for a number that is missing; doubles with each.
const SOON: Duration = Duration::from_millis(1);
/// The longest.
const LATE: Duration = Duration::from_millis(64);

/// Rows that may be taken as they are, and whether more can be asked for at once.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) more: bool,
}

/// What one follower knows of numbers that are missing.
#[derive(Default)]
pub(crate) struct Follower {
    barrier: Mutex<Option<Barrier>>,
}

/// When no id below `id` is under way, numbers up to `known` are settled.
#[derive(Clone, Copy)]
struct Barrier {
    id: i64,
    known: i64,
}

/// One look at the outbox.
struct Look {
    rows: Vec<Row>,
    full: bool,
    /// Whether rows were left out behind a number that is missing.
    held_back: bool,
    barrier: Option<Barrier>,
}

impl Follower {
    /// The next rows behind `after`, up to `limit`; waits while there are some
    /// and none of them may be taken.
    pub(crate) async fn next(&self, store: &Store, after: i64, limit: u64) -> Unit<Page> {
        let rows = store
            .read(async move |tx: &Tx| -> Unit<_> { Ok(Outbox::rows(tx, after, limit).await?) })
            .await?;
        if unbroken(after, 0, rows.iter().map(|(seq, _)| *seq)) == rows.len() {
            *self.barrier.lock() = None;
            let more = rows.len() as u64 >= limit;
            return Ok(Page { rows, more });
        }
        self.behind_a_gap(store, after, limit).await
    }

    /// Where a number is missing, the rows and who is under way are looked at in
    /// one snapshot.
    async fn behind_a_gap(&self, store: &Store, after: i64, limit: u64) -> Unit<Page> {
        let mut wait = SOON;
        loop {
            let (barrier, draw) = (*self.barrier.lock(), wait > SOON);
            let look = store
                .read(async move |tx: &Tx| -> Unit<Look> {
                    Ok(look(tx, after, limit, barrier, draw).await?)
                })
                .await?;
            *self.barrier.lock() = look.barrier;
            if !look.rows.is_empty() || !look.held_back {
                let more = look.full || look.held_back;
                return Ok(Page {
                    rows: look.rows,
                    more,
                });
            }
            // Real time: it is about transactions, not about the shop's day.
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LATE);
        }
    }
}

/// All within one snapshot. `draw` asks for a barrier where one is needed.
async fn look(
    tx: &Tx,
    after: i64,
    limit: u64,
    barrier: Option<Barrier>,
    draw: bool,
) -> Result<Look, DbErr> {
    let mut rows = Outbox::rows(tx, after, limit).await?;
    let full = rows.len() as u64 >= limit;
    let numbers = rows.iter().map(|(seq, _)| *seq);
    if tx.get_database_backend() == DbBackend::Sqlite
        || unbroken(after, 0, numbers.clone()) == rows.len()
    {
        return Ok(Look {
            rows,
            full,
            held_back: false,
            barrier: None,
        });
    }
    let settled = match barrier {
        Some(barrier) if oldest_under_way(tx).await? >= barrier.id => barrier.known,
        _ => 0,
    };
    let (takes, last) = (
        unbroken(after, settled, numbers),
        rows.last().map(|row| row.0),
    );
    let barrier = match (barrier, last) {
        (Some(barrier), _) if settled == 0 => Some(barrier),
        (_, Some(known)) if draw && takes == 0 => {
            let id = drawn(tx).await?;
            Some(Barrier { id, known })
        }
        _ => None,
    };
    let held_back = takes < rows.len();
    rows.truncate(takes);
    Ok(Look {
        rows,
        full,
        held_back,
        barrier,
    })
}

/// How many of these numbers follow `after` with none missing between them,
/// where what is missing up to `settled` never comes.
fn unbroken(after: i64, settled: i64, numbers: impl Iterator<Item = i64>) -> usize {
    let mut before = after;
    let follows = |seq: &i64| {
        let next = *seq <= settled || *seq == before.max(settled) + 1;
        before = *seq;
        next
    };
    numbers.take_while(follows).count()
}

async fn oldest_under_way(tx: &Tx) -> Result<i64, DbErr> {
    const OLDEST: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS id";
    id(tx, OLDEST).await
}

async fn drawn(tx: &Tx) -> Result<i64, DbErr> {
    const DRAWN: &str = "SELECT pg_current_xact_id()::text::bigint AS id";
    id(tx, DRAWN).await
}

async fn id(tx: &Tx, sql: &'static str) -> Result<i64, DbErr> {
    let row = query_one(tx, sql, vec![]).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("a transaction id".to_owned()))?;
    row.try_get("", "id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_up_to_the_first_that_is_missing() {
        let taken =
            |after, settled, numbers: &[i64]| unbroken(after, settled, numbers.iter().copied());
        assert_eq!(taken(0, 0, &[1, 2, 3]), 3);
        assert_eq!(taken(0, 0, &[1, 3, 4]), 1);
        assert_eq!(taken(5, 0, &[7, 8]), 0);
        assert_eq!(taken(5, 0, &[]), 0);
    }

    #[test]
    fn what_is_missing_among_the_settled_is_passed() {
        let taken =
            |after, settled, numbers: &[i64]| unbroken(after, settled, numbers.iter().copied());
        assert_eq!(taken(5, 9, &[7, 9, 10]), 3);
        assert_eq!(
            taken(5, 9, &[7, 10, 12]),
            2,
            "ten follows nine, which never comes"
        );
        assert_eq!(taken(5, 9, &[7, 11]), 1);
        assert_eq!(taken(5, 9, &[12]), 0);
    }
}
