//! Group commit: many units, one transaction, one wait for the disk, and to
//! each its own outcome.

use std::collections::VecDeque;

use super::{Job, SharedConnection, is_full};
use crate::tx::Effects;
use crate::{StoreError, Tx};

/// What came of a group.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) units: u64,
    pub(super) commits: u64,
    pub(super) effects: Vec<Effects>,
    pub(super) answers: Vec<(Box<dyn Job>, Option<StoreError>)>,
    /// The last failure that was the store's own.
    pub(super) trouble: Option<String>,
}

/// Runs a group of units. Where the database throws the whole transaction away
/// because of one of them (no room, for one), the others are run again without
/// it; where the common commit fails, each is committed alone.
pub(super) fn run(
    connection: &SharedConnection,
    tx: &Tx,
    store: &str,
    group: Vec<Box<dyn Job>>,
) -> Committed {
    let mut done = Committed::default();
    let mut waiting = VecDeque::from(group);
    let mut limit = waiting.len();
    while !waiting.is_empty() {
        let mut part: VecDeque<_> = waiting.drain(..limit.min(waiting.len())).collect();
        match transaction(connection, tx, store, &mut part, &mut done) {
            Outcome::Committed => {}
            Outcome::Lost => part
                .into_iter()
                .rev()
                .for_each(|job| waiting.push_front(job)),
            Outcome::Failed(error) if part.len() > 1 => {
                tracing::debug!(store, %error, units = part.len(), "a common commit failed; each unit is committed alone");
                limit = 1;
                part.into_iter()
                    .rev()
                    .for_each(|job| waiting.push_front(job));
            }
            Outcome::Failed(error) => {
                done.trouble = Some(error.to_string());
                let error = |_| failure(&error, store);
                done.answers.extend(
                    part.into_iter()
                        .enumerate()
                        .map(|(n, job)| (job, Some(error(n)))),
                );
            }
        }
    }
    done
}

enum Outcome {
    /// What wanted to be committed is.
    Committed,
    /// The transaction was lost with one unit, which has its answer; the others are as before.
    Lost,
    /// Beginning or committing failed; nothing was kept.
    Failed(rusqlite::Error),
}

fn transaction(
    connection: &SharedConnection,
    tx: &Tx,
    store: &str,
    part: &mut VecDeque<Box<dyn Job>>,
    done: &mut Committed,
) -> Outcome {
    if let Err(error) = connection.run("BEGIN IMMEDIATE") {
        return Outcome::Failed(error);
    }
    let mut effects = Vec::with_capacity(part.len());
    let mut kept = Vec::with_capacity(part.len());
    for place in 0..part.len() {
        let keep = match unit(connection, tx, store, &mut part[place]) {
            Ok(keep) => keep && !connection.lost(),
            Err(error) => {
                abandon(connection);
                return Outcome::Failed(error);
            }
        };
        if connection.lost() {
            if let Some(job) = part.remove(place) {
                done.trouble = Some("a unit of work cost its whole transaction".to_owned());
                done.answers.push((job, lost_answer(keep, store)));
            }
            return Outcome::Lost;
        }
        let asked = tx.take_effects();
        if keep {
            effects.push(asked);
        }
        kept.push(keep);
    }
    if let Err(error) = connection.run("COMMIT") {
        abandon(connection);
        return Outcome::Failed(error);
    }
    done.commits += 1;
    done.units += kept.iter().filter(|keep| **keep).count() as u64;
    done.effects.append(&mut effects);
    done.answers.extend(part.drain(..).map(|job| (job, None)));
    Outcome::Committed
}

/// A unit that reported its own failure keeps that answer; one that believed
/// to have succeeded is told otherwise.
fn lost_answer(believed_kept: bool, store: &str) -> Option<StoreError> {
    believed_kept.then(|| StoreError::Full {
        store: store.to_owned(),
    })
}

/// Runs one unit under its savepoint.
fn unit(
    connection: &SharedConnection,
    tx: &Tx,
    store: &str,
    job: &mut Box<dyn Job>,
) -> rusqlite::Result<bool> {
    drop(tx.take_effects());
    connection.savepoint()?;
    let keep = job.run(tx, store);
    connection.end_savepoint(keep)?;
    Ok(keep)
}

/// Leaves no transaction open; there may be none.
fn abandon(connection: &SharedConnection) {
    if !connection.lost()
        && let Err(error) = connection.run("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn failure(error: &rusqlite::Error, store: &str) -> StoreError {
    if is_full(error) {
        StoreError::Full {
            store: store.to_owned(),
        }
    } else {
        error_of(error)
    }
}

fn error_of(error: &rusqlite::Error) -> StoreError {
    StoreError::Database(sea_orm::DbErr::Exec(sea_orm::RuntimeErr::Internal(
        error.to_string(),
    )))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        error_of(&error)
    }
}
