//! Handles dead letters again when a person asks for it, and after each what
//! waits behind it. The request is a column of the letter, so that it survives a
//! restart; a letter and what was written by handling it change in one unit, so
//! that nothing is handled twice; and while any event of the key waits the
//! letter's row stays, so that events that arrive meanwhile queue up behind it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cleave_store::{Store, Tx, Unit, UnitError};
use cleave_vocabulary::Envelope;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::HandleError;
use super::desk::{Desk, Setback, refuse};
use crate::backoff::Backoff;
use crate::dead_letters::{REDRIVE, rows};

/// Keys redriven side by side.
const KEYS: usize = 32;
/// Until requests are looked for again where that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Handler and subject.
type Key = (String, String);

/// Redrives the letters of one context.
pub(super) struct Redriver {
    store: Store,
    desks: Vec<Arc<Desk>>,
}

/// What became of the letter at the head of a key.
enum Step {
    /// Handled; the next one of the key stands in its place.
    Next,
    /// The key is free, or nobody asks for it any more.
    End,
}

impl Redriver {
    pub(super) fn new(store: Store, desks: Vec<Arc<Desk>>) -> Self {
        Self { store, desks }
    }

    /// Redrives what is asked for until `stop`. A key that was begun and not
    /// ended is taken up at the next start.
    pub(super) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&self) {
        let Some(clock) = self.desks.first().map(|desk| desk.clock.clone()) else {
            return;
        };
        let asked = self.store.on(REDRIVE);
        let mut running: HashSet<Key> = HashSet::new();
        let mut keys = FuturesUnordered::new();
        loop {
            let requested = self.requested(&running).await;
            let failed = requested.is_none();
            for (desk, key) in requested.into_iter().flatten() {
                if keys.len() < KEYS && running.insert(key.clone()) {
                    keys.push(async move {
                        redrive(&desk, &key.1).await;
                        key
                    });
                }
            }
            tokio::select! {
                Some(key) = keys.next() => { running.remove(&key); }
                () = asked.notified() => {}
                () = clock.sleep(RETRY), if failed => {}
            }
        }
    }

    /// Keys that are asked for and not yet being redriven, with their handlers;
    /// none where the store is in trouble.
    async fn requested(&self, running: &HashSet<Key>) -> Option<Vec<(Arc<Desk>, Key)>> {
        let limit = (KEYS + running.len()) as u64;
        let names: Vec<_> = self.desks.iter().map(|desk| desk.handler.name).collect();
        let requested = async move |tx: &Tx| Ok(rows::requested(tx, &names, limit).await?);
        let keys: Unit<Vec<Key>> = self.store.read(requested).await;
        let keys = keys
            .inspect_err(|error| {
                let context = self.store.name();
                tracing::warn!(context, %error, "redrives were not looked for");
            })
            .ok()?;
        let new = keys.into_iter().filter(|key| !running.contains(key));
        Some(
            new.filter_map(|key| Some((self.desk(&key.0)?, key)))
                .collect(),
        )
    }

    fn desk(&self, handler: &str) -> Option<Arc<Desk>> {
        let desk = self.desks.iter().find(|desk| desk.handler.name == handler);
        desk.cloned()
    }
}

/// Handles the events of a parked key in order, until the key is free or one of
/// them is given up on again.
async fn redrive(desk: &Arc<Desk>, subject: &str) {
    let waits: Backoff = desk.options.waits();
    let (mut failures, mut patience) = (0, 0);
    loop {
        let (reason, last) = match step(desk, subject).await {
            Ok(Step::End) => return,
            Ok(Step::Next) => {
                (failures, patience) = (0, 0);
                continue;
            }
            Err(Setback::Store) => {
                patience += 1;
                desk.clock.sleep(waits.after(patience)).await;
                continue;
            }
            Err(Setback::Poison(reason)) => (reason, true),
            Err(Setback::Failed(reason)) => (reason, false),
        };
        failures += 1;
        if !last && failures < desk.options.attempts {
            desk.clock.sleep(waits.after(failures)).await;
        } else if put_back(desk, subject, reason, failures).await {
            return;
        } else {
            patience += 1;
            desk.clock.sleep(waits.after(patience)).await;
        }
    }
}

/// Handles the letter at the head of the key and moves the key on, in one unit.
async fn step(desk: &Arc<Desk>, subject: &str) -> Result<Step, Setback> {
    let (this, subject) = (desk.clone(), subject.to_owned());
    let unit = async move |tx: &Tx| -> Unit<Step, HandleError> {
        let Some(letter) = rows::requested_for(tx, this.handler.name, &subject).await? else {
            return Ok(Step::End);
        };
        let event: Envelope = serde_json::from_str(&letter.envelope)
            .map_err(|error| UnitError::Refused(HandleError::from(error)))?;
        let handled = this.handler.apply.handle(tx, &event).await;
        handled.map_err(refuse)?;
        let more = rows::advance(tx, &letter).await?;
        Ok(if more { Step::Next } else { Step::End })
    };
    desk.outcome(desk.store.write(unit).await)
}

/// The redrive failed; the letter says why. False where the store is in trouble.
async fn put_back(desk: &Arc<Desk>, subject: &str, reason: String, attempts: u32) -> bool {
    let (this, subject, at) = (desk.clone(), subject.to_owned(), desk.clock.now());
    let unit = async move |tx: &Tx| -> Unit<()> {
        if let Some(letter) = rows::requested_for(tx, this.handler.name, &subject).await? {
            rows::put_back(tx, &letter, &reason, attempts, at).await?;
        }
        Ok(())
    };
    desk.store.write(unit).await.is_ok()
}
