//! Finds sagas that are due: timers that ran out, claims that lapsed, what a
//! crash left. Looks as seldom as it can: at the earliest known time, when it
//! is told of an earlier one, and now and then in case someone else left work.

use std::sync::Arc;

use cleave_store::{Tx, Unit};
use cleave_vocabulary::Timestamp;
use tokio_util::sync::CancellationToken;

use super::adrift::Adrift;
use super::core::Core;
use super::presence;
use super::shift::Shift;
use crate::metering;
use crate::persistence::{Row, claim, next_due, release, set_aside_orphans, stuck, take_over};

/// Sagas claimed in one statement, at the most.
const BATCH: usize = 64;

/// What a saga says that no registered definition can drive.
const ORPHANED: &str = "no program that is running knows this saga's kind and version";

/// Runs the engine until `stop`.
pub(crate) async fn run(core: &Arc<Core>, stop: CancellationToken) {
    let shift = Arc::new(Shift::new(core.options.concurrency, stop));
    let running = Running {
        core,
        shift: &shift,
    };
    let poller = Poller {
        core,
        shift: &shift,
        known: core.known(),
    };
    poller.prepare().await;
    if core.sole_owner {
        core.set_shift(Some(Arc::clone(&shift)));
        poller.poll().await;
    } else {
        presence::look(core).await;
        core.set_shift(Some(Arc::clone(&shift)));
        tokio::select! {
            () = poller.poll() => {}
            never = presence::keep(core) => never,
        }
    }
    running.end().await;
}

/// A run; where it is dropped instead of ended, its drivers are dropped too and
/// their claims are left to lapse, as in a crash.
struct Running<'a> {
    core: &'a Arc<Core>,
    shift: &'a Arc<Shift>,
}

impl Running<'_> {
    /// Waits for what is in flight, for as long as the settings allow, and lets
    /// go of every claim, so that a successor need not wait for them to lapse.
    async fn end(self) {
        let (core, shift) = (self.core, self.shift);
        core.set_shift(None);
        shift.tracker.close();
        tokio::select! {
            biased;
            () = shift.tracker.wait() => {}
            () = core.clock.sleep(core.options.drain) => {
                tracing::warn!(left = shift.tracker.len(), "sagas were left in mid-step");
            }
        }
        shift.abandon.cancel();
        shift.tracker.wait().await;
        let (owner, now, alone) = (core.owner, core.clock.now(), core.sole_owner);
        let unit = async move |tx: &Tx| -> Unit<u64> {
            if !alone {
                presence::leave(tx, owner).await?;
            }
            Ok(release(tx, owner, now).await?)
        };
        match core.store.write(unit).await {
            Ok(0) => {}
            Ok(sagas) => tracing::info!(sagas, "let go of unfinished sagas"),
            Err(error) => tracing::warn!(%error, "claims on sagas are left to lapse"),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.core.set_shift(None);
        self.shift.abandon.cancel();
    }
}

struct Poller<'a> {
    core: &'a Arc<Core>,
    shift: &'a Arc<Shift>,
    /// The condition that a saga is of a registered kind and version.
    known: String,
}

impl Poller<'_> {
    /// Takes over what a dead process held, where no living one can hold it, and
    /// counts what waits for a person.
    async fn prepare(&self) {
        let (alone, now) = (self.core.sole_owner, self.core.clock.now());
        let unit = async move |tx: &Tx| -> Unit<(u64, u64)> {
            let taken = if alone { take_over(tx, now).await? } else { 0 };
            Ok((taken, stuck(tx).await?))
        };
        match self.core.store.write(unit).await {
            Ok((taken, stuck)) => {
                metering::stuck(stuck);
                if taken > 0 {
                    tracing::info!(sagas = taken, "taking up sagas that a crash left");
                }
            }
            Err(error) => {
                tracing::error!(%error, "what a crash left is not taken up before its claims lapse");
            }
        }
    }

    async fn poll(&self) {
        let mut look_for_orphans = Timestamp::EPOCH;
        let mut adrift = Adrift::new(self.core);
        while !self.shift.stop.is_cancelled() {
            // From here on whatever becomes due makes a sound.
            self.core.set_alarm(None);
            let now = self.core.clock.now();
            if look_for_orphans <= now {
                self.report_orphans(now).await;
                look_for_orphans = now.plus(self.core.options.lease);
            }
            adrift.let_go().await;
            let next = match self.next_due().await {
                Some(due) if due <= now => {
                    if self.take().await {
                        continue;
                    }
                    None
                }
                next => next,
            };
            let latest = now.plus(self.core.options.poll);
            let until = next.map_or(latest, |due| due.min(latest));
            self.core.set_alarm(Some(until));
            tokio::select! {
                () = self.core.wake.notified() => {}
                () = self.core.clock.sleep_until(until) => {}
                () = self.shift.stop.cancelled() => {}
            }
        }
    }

    async fn next_due(&self) -> Option<Timestamp> {
        let known = self.known.clone();
        let query =
            async move |tx: &Tx| -> Unit<Option<Timestamp>> { Ok(next_due(tx, &known).await?) };
        self.core.store.read(query).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not look for sagas that are due");
            None
        })
    }

    /// Claims what is due, as far as there is room, and has it driven; waits for
    /// room first. False where nothing was claimed.
    async fn take(&self) -> bool {
        let room = Arc::clone(&self.shift.claimed).acquire_owned();
        let Some(Ok(mut room)) = self.shift.stop.run_until_cancelled(room).await else {
            return false;
        };
        let more = self.shift.claimed.available_permits().min(BATCH - 1);
        let more = u32::try_from(more).unwrap_or(0);
        if let Ok(more) = Arc::clone(&self.shift.claimed).try_acquire_many_owned(more) {
            room.merge(more);
        }
        let rows = self.claim(room.num_permits()).await;
        let any = !rows.is_empty();
        for row in rows {
            let (Some(place), Some(plan)) = (room.split(1), self.core.plan(&row.kind, row.version))
            else {
                continue;
            };
            let enlisted = self.core.enlist(row.id);
            let drive = plan.resume(Arc::clone(self.core), Arc::clone(self.shift), row);
            self.shift.spawn(place, enlisted, drive);
        }
        any
    }

    async fn claim(&self, limit: usize) -> Vec<Row> {
        let (owner, known, now) = (self.core.owner, self.known.clone(), self.core.clock.now());
        let until = now.plus(self.core.options.lease);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let unit = async move |tx: &Tx| -> Unit<Vec<Row>> {
            Ok(claim(tx, owner, &known, now, until, limit).await?)
        };
        self.core.store.write(unit).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not claim sagas that are due");
            Vec::new()
        })
    }

    /// Sagas whose definition is not registered here are reported and set aside.
    /// Beside other processes only those that none of them took either.
    async fn report_orphans(&self, now: Timestamp) {
        let lease = self.core.options.lease;
        let since = if self.core.sole_owner {
            now
        } else {
            now.minus(lease)
        };
        let known = self.known.clone();
        let unit = async move |tx: &Tx| {
            let until = now.plus(lease);
            let orphans = set_aside_orphans(tx, &known, since, until, ORPHANED).await?;
            Unit::<_>::Ok(orphans)
        };
        match self.core.store.write(unit).await {
            Ok(orphans) => {
                for orphan in orphans {
                    metering::orphaned(&orphan.kind);
                    tracing::error!(saga = %orphan.id, kind = orphan.kind, version = orphan.version,
                        "{ORPHANED}: start one that does, and it goes on");
                }
            }
            Err(error) => tracing::warn!(%error, "could not look for sagas that nobody can drive"),
        }
    }
}
