//! Group commit: many units, one transaction, one wait for the disk, and to
//! each its own outcome.
//!
//! Nearly every unit wants to be kept, so a group is first run as one, without
//! a savepoint for each unit (SQLite copies each page that a savepoint is the
//! first to touch). Where a unit that has written something wants to be undone,
//! the whole transaction is, and the group is run again with a savepoint for
//! each: units may run more than once, and nothing was committed or answered.

use std::collections::VecDeque;

use super::{SharedConnection, is_full};
use crate::job::Job;
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

/// Groups that are run with savepoints at once, after one that had to be run twice.
const CAUTIOUS_GROUPS: u32 = 32;

/// Whether units are run under savepoints: for a while after one had to be undone.
#[derive(Default)]
pub(super) struct Caution(u32);

impl Caution {
    fn needed(&self) -> bool {
        self.0 > 0
    }

    fn raise(&mut self) {
        self.0 = CAUTIOUS_GROUPS;
    }

    fn lower(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

/// Runs a group of units. Where the database throws the whole transaction away
/// because of one of them (no room, for one), the others are run again without
/// it; where the common commit fails, each is committed alone.
pub(super) fn run(
    connection: &SharedConnection,
    tx: &Tx,
    store: &str,
    group: Vec<Box<dyn Job>>,
    caution: &mut Caution,
) -> Committed {
    let mut done = Committed::default();
    let mut waiting = VecDeque::from(group);
    let mut limit = waiting.len();
    caution.lower();
    while !waiting.is_empty() {
        let mut part: VecDeque<_> = waiting.drain(..limit.min(waiting.len())).collect();
        let savepoints = caution.needed();
        match transaction(connection, tx, store, &mut part, &mut done, savepoints) {
            Outcome::Committed => {}
            Outcome::Undo => {
                caution.raise();
                put_back(part, &mut waiting);
            }
            Outcome::Lost => put_back(part, &mut waiting),
            Outcome::Failed(error) if part.len() > 1 => {
                tracing::debug!(store, %error, units = part.len(), "a common commit failed; each unit is committed alone");
                limit = 1;
                put_back(part, &mut waiting);
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

/// Lets a part run again, before the others and in its order.
fn put_back(mut part: VecDeque<Box<dyn Job>>, waiting: &mut VecDeque<Box<dyn Job>>) {
    part.append(waiting);
    *waiting = part;
}

enum Outcome {
    /// What wanted to be committed is.
    Committed,
    /// A unit that has written wants to be undone, and had no savepoint; nothing was kept.
    Undo,
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
    savepoints: bool,
) -> Outcome {
    if let Err(error) = connection.run("BEGIN IMMEDIATE") {
        return Outcome::Failed(error);
    }
    let mut effects = Vec::with_capacity(part.len());
    let mut kept = Vec::with_capacity(part.len());
    for place in 0..part.len() {
        let keep = match unit(connection, tx, store, &mut part[place], savepoints) {
            Ok(Ran::Keep) => true,
            Ok(Ran::Nothing) => false,
            Ok(Ran::Undo) => {
                abandon(connection);
                return Outcome::Undo;
            }
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

/// What a unit leaves in the transaction.
enum Ran {
    /// What is to be committed.
    Keep,
    /// Nothing.
    Nothing,
    /// What is to be undone, together with everything before it.
    Undo,
}

/// Runs one unit, under its savepoint where it has one.
fn unit(
    connection: &SharedConnection,
    tx: &Tx,
    store: &str,
    job: &mut Box<dyn Job>,
    savepoint: bool,
) -> rusqlite::Result<Ran> {
    tx.begin();
    if savepoint {
        connection.savepoint()?;
        let keep = job.run(tx, store);
        connection.end_savepoint(keep)?;
        return Ok(if keep { Ran::Keep } else { Ran::Nothing });
    }
    let before = connection.written();
    Ok(if job.run(tx, store) {
        Ran::Keep
    } else if connection.written() == before || connection.lost() {
        Ran::Nothing
    } else {
        Ran::Undo
    })
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
