//! Idempotency keys: the key, the outcome and the effect commit together, so a
//! repeated request gets the first outcome, whatever crashed between.
//! After Stripe's API and the IETF draft `idempotency-key-header`.
//!
//! The record is the *last* statement of the unit that makes the effect, and
//! the only one added to it: `INSERT … ON CONFLICT DO NOTHING`. Where it finds
//! the key taken, the whole unit is undone and the first outcome is replayed.
//! So the common case pays for one statement, and neither two replicas nor a
//! crash can make the effect twice. The set of keys in flight is a courtesy to
//! clients that retry too soon; correctness does not rest on it.
//!
//! A body is remembered as a digest of 128 bits. A context whose bodies or
//! answers are secret gives a key with [`Idempotency::sealing`]: then digests
//! are keyed (a stored digest of a password would else be a guessing aid), and
//! answers marked [`Answer::sealed`] are encrypted at rest.

mod answer;
mod flight;
mod record;
mod scope;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use cleave_store::{Store, Tx, Unit, UnitError};
use cleave_vocabulary::Clock;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::Problem;

pub use answer::{Answer, Once};
use flight::InFlight;
use record::{Found, Place};
pub use scope::Scope;
use seal::Seal;

/// The settings of `http.idempotency`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencyOptions {
    /// How long outcomes are kept.
    #[serde(with = "cleave_vocabulary::duration")]
    pub keep: Duration,
}

impl Default for IdempotencyOptions {
    fn default() -> Self {
        Self {
            keep: Duration::from_hours(24),
        }
    }
}

/// How often outcomes past their time are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// The idempotency records of one context. Cheap to clone.
#[derive(Clone)]
pub struct Idempotency {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    options: IdempotencyOptions,
    seal: Seal,
    in_flight: InFlight,
}

/// Why a unit came to nothing.
enum Undone<R> {
    /// The use case said no.
    Refused(R),
    /// The key has an outcome already.
    Taken,
}

impl Idempotency {
    /// Over a context's store (tables `idempotency`).
    pub fn new(store: Store, clock: Arc<dyn Clock>, options: IdempotencyOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                clock,
                options,
                seal: Seal::none(),
                in_flight: InFlight::default(),
            }),
        }
    }

    /// The same records with a secret key: digests are keyed, and answers may be
    /// [sealed](Answer::sealed). Give the same key at each start, or what was
    /// recorded before it can't be replayed.
    pub fn sealing(self, key: &[u8; 32]) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: self.inner.store.clone(),
                clock: self.inner.clock.clone(),
                options: self.inner.options.clone(),
                seal: Seal::with(key),
                in_flight: InFlight::default(),
            }),
        }
    }

    /// Runs `unit` once for the scope's key: effect, key and outcome in one
    /// commit. Without a key it simply runs. A refusal (`R` into [`Problem`]) undoes the
    /// unit's writes, is recorded as the outcome, and is replayed likewise;
    /// failures of the store (5xx) are not recorded. 409 `idempotency_key_in_use` while
    /// the first is in flight, 422 `idempotency_key_reused` for another body.
    pub async fn once<R, F>(
        &self,
        scope: &Scope,
        digest: [u8; 32],
        unit: F,
    ) -> Result<Once, Problem>
    where
        F: AsyncFn(&Tx) -> Unit<Answer, R> + Send + 'static,
        R: Into<Problem> + Send + 'static,
    {
        let Some(place) = self.place(scope, digest) else {
            let done = self.inner.store.write(unit).await;
            return Ok(Once::Fresh(done.map_err(Problem::from)?));
        };
        let _flying = self.inner.in_flight.enter(place.key)?;
        let seal = self.inner.seal.clone();
        let done = self.inner.store.write(async move |tx: &Tx| {
            let answer = unit(tx).await;
            let answer = answer.map_err(|error| error.map_refusal(Undone::Refused))?;
            if record::insert(tx, &place, &answer, &seal).await? {
                Ok(answer)
            } else {
                Err(UnitError::Refused(Undone::Taken))
            }
        });
        match done.await {
            Ok(answer) => Ok(Once::Fresh(answer)),
            Err(UnitError::Refused(Undone::Refused(refusal))) => {
                self.refuse(scope, place, refusal.into()).await
            }
            Err(UnitError::Refused(Undone::Taken)) => self.first_outcome(place).await,
            Err(UnitError::Failed(error)) => Err(error.into()),
        }
    }

    /// The recorded outcome for the scope's key, if any: for handlers that do
    /// work before the unit (a quote from another context) that a replay need not repeat.
    pub async fn recorded(&self, scope: &Scope, digest: [u8; 32]) -> Result<Option<Once>, Problem> {
        let Some(place) = self.place(scope, digest) else {
            return Ok(None);
        };
        if self.inner.in_flight.contains(place.key) {
            return Err(flight::in_use());
        }
        self.find(place).await
    }

    /// Forgets outcomes past their time; returns how many.
    pub async fn sweep(&self) -> Unit<u64> {
        let before = self.inner.clock.now().minus(self.inner.options.keep);
        let mut swept = 0;
        loop {
            let unit = async move |tx: &Tx| Ok(record::sweep(tx, before).await?);
            let some = self.inner.store.write(unit).await?;
            swept += some;
            if some < record::SWEPT_AT_ONCE {
                return Ok(swept);
            }
        }
    }

    /// Sweeps now and then until `stop`: a background task for the host.
    pub async fn sweep_until(&self, stop: CancellationToken) {
        loop {
            match self.sweep().await {
                Ok(0) => {}
                Ok(swept) => tracing::debug!(swept, "forgot outcomes of idempotent requests"),
                Err(error) => {
                    let error = error.into_store_error();
                    tracing::warn!(%error, "could not sweep outcomes of idempotent requests");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inner.clock.sleep(SWEEP_EVERY) => {}
            }
        }
    }

    fn place(&self, scope: &Scope, digest: [u8; 32]) -> Option<Place> {
        let key = scope.hash()?;
        Some(Place {
            key,
            digest: self.inner.seal.digest(digest),
            at: self.inner.clock.now(),
        })
    }

    /// Records a refusal. Its unit is undone already and left nothing to commit
    /// with; a crash in between loses an answer that nobody has seen.
    async fn refuse(
        &self,
        scope: &Scope,
        place: Place,
        mut problem: Problem,
    ) -> Result<Once, Problem> {
        if !is_outcome(problem.status) {
            return Err(problem);
        }
        let correlation = scope.correlation.as_ref();
        problem.correlation_id = correlation.map(ToString::to_string);
        let answer = Answer::of_problem(&problem);
        let seal = self.inner.seal.clone();
        let unit = async move |tx: &Tx| -> Unit<bool> {
            Ok(record::insert(tx, &place, &answer, &seal).await?)
        };
        match self.inner.store.write(unit).await {
            Ok(true) => Err(problem),
            Ok(false) => self.first_outcome(place).await,
            Err(error) => Err(Problem::from(error)),
        }
    }

    /// What the key was taken with.
    async fn first_outcome(&self, place: Place) -> Result<Once, Problem> {
        match self.find(place).await? {
            Some(first) => Ok(first),
            // Swept between the two looks: the client may simply ask again.
            None => Err(flight::in_use()),
        }
    }

    async fn find(&self, place: Place) -> Result<Option<Once>, Problem> {
        let oldest = place.at.minus(self.inner.options.keep);
        let seal = self.inner.seal.clone();
        let query = async move |tx: &Tx| -> Unit<Option<Found>> {
            Ok(record::find(tx, &place, &seal).await?)
        };
        match self.inner.store.read(query).await.map_err(Problem::from)? {
            Some(Found { at, .. }) if at < oldest => {
                self.forget(place).await?;
                Ok(None)
            }
            Some(Found { same: false, .. }) => Err(reused()),
            Some(Found { answer, .. }) => Ok(Some(Once::Replayed(answer))),
            None => Ok(None),
        }
    }

    /// Frees a key whose outcome is past its time and not yet swept.
    async fn forget(&self, place: Place) -> Result<(), Problem> {
        let oldest = place.at.minus(self.inner.options.keep);
        let unit =
            async move |tx: &Tx| -> Unit<()> { Ok(record::forget(tx, &place, oldest).await?) };
        self.inner.store.write(unit).await.map_err(Problem::from)
    }
}

/// A refusal that asking again would not change. Overload and passing trouble are none.
fn is_outcome(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
}

/// 422 `idempotency_key_reused`.
fn reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "This `Idempotency-Key` was used with another body. Use a new key for a new request.",
    )
}
