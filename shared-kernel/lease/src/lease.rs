//! Waits for a lease, works while it holds, and gives it back.

use std::sync::Arc;
use std::time::Duration;

use cleave_store::{Store, StoreError, Tx, Unit, UnitError};
use cleave_vocabulary::{Clock, Timestamp};
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use crate::rows;

/// Renewed so often within its time: two may fail.
const RENEWALS: u32 = 3;
/// The wait behind a store in trouble.
const PAUSE: Duration = Duration::from_millis(250);

/// A lease that this process would like to hold.
pub struct Lease {
    store: Store,
    clock: Arc<dyn Clock>,
    name: &'static str,
    span: Duration,
}

/// One time of holding a lease. Cheap to clone.
#[derive(Clone)]
pub struct Term(Option<Fence>);

/// What tells this term from every other.
#[derive(Clone, Copy)]
struct Fence {
    name: &'static str,
    token: i64,
}

impl Term {
    /// Of work that no other process can do, which needs no fence.
    pub const fn sole() -> Self {
        Self(None)
    }

    /// Whether the unit may write for this term. To be asked in the very unit.
    pub async fn holds(&self, tx: &Tx) -> Result<bool, DbErr> {
        match self.0 {
            Some(Fence { name, token }) => rows::holds(tx, name, token).await,
            None => Ok(true),
        }
    }
}

impl Lease {
    /// The lease `name` of the context whose store this is. A holder that dies
    /// keeps it from the others for `span`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, name: &'static str, span: Duration) -> Self {
        // Its holders are processes, each with a clock.
        let clock = store.clock(clock);
        Self {
            store,
            clock,
            name,
            span,
        }
    }

    /// Does `work` whenever it holds the lease, until `stop`; then gives it back.
    /// The token that `work` gets is cancelled when the term is over, and at
    /// `stop`; what it finishes behind that may be refused.
    pub async fn hold<F: Future<Output = ()>>(
        &self,
        stop: &CancellationToken,
        work: impl Fn(Term, CancellationToken) -> F,
    ) {
        if !self.store.is_shared() {
            return work(Term::sole(), stop.clone()).await;
        }
        while let Some((fence, until)) = self.acquired(stop).await {
            let over = stop.child_token();
            let working = work(Term(Some(fence)), over.clone());
            tokio::pin!(working);
            let lost = tokio::select! {
                () = &mut working => false,
                () = self.keep(fence, until) => true,
            };
            if lost {
                let (context, lease) = (self.store.name(), self.name);
                tracing::warn!(context, lease, "a lease was lost; another process goes on");
                over.cancel();
                working.await;
            } else if self.release(fence).await && !stop.is_cancelled() {
                // It ended by itself while it had every right to go on.
                return;
            }
        }
    }

    /// Waits for the lease; none once it is to stop.
    async fn acquired(&self, stop: &CancellationToken) -> Option<(Fence, Timestamp)> {
        let given_back = self.store.on(self.name);
        loop {
            if stop.is_cancelled() {
                return None;
            }
            let wait = match self.acquire().await {
                Ok(Ok(held)) => return Some(held),
                Ok(Err(until)) => until,
                Err(error) => {
                    self.trouble("a lease could not be looked at", &error);
                    self.clock.now().plus(PAUSE)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = given_back.notified() => {}
                () = self.clock.sleep_until(wait) => {}
            }
        }
    }

    /// Takes it, or says until when it is another's.
    async fn acquire(&self) -> Result<Result<(Fence, Timestamp), Timestamp>, StoreError> {
        let name = self.name;
        // To look costs no write, and those who wait look often.
        let look = async move |tx: &Tx| -> Unit<_> { Ok(rows::held_until(tx, name).await?) };
        let now = self.clock.now();
        let held = self
            .store
            .read(look)
            .await
            .map_err(UnitError::into_store_error)?;
        if held > now {
            return Ok(Err(held));
        }
        let until = now.plus(self.span);
        let take = async move |tx: &Tx| -> Unit<Option<i64>> {
            let holder = format!("process {}", std::process::id());
            Ok(rows::acquire(tx, name, &holder, now, until).await?)
        };
        let token = self.store.write(take).await;
        let token = token.map_err(UnitError::into_store_error)?;
        // Another was faster: it is theirs for about as long.
        Ok(token
            .map(|token| (Fence { name, token }, until))
            .ok_or(until))
    }

    /// Renews the term until it is lost.
    async fn keep(&self, fence: Fence, mut until: Timestamp) {
        let Fence { name, token } = fence;
        let mut wait = self.span / RENEWALS;
        loop {
            self.clock.sleep(wait).await;
            let now = self.clock.now();
            let next = now.plus(self.span);
            let renew = async move |tx: &Tx| -> Unit<bool> {
                Ok(rows::renew(tx, name, token, next).await?)
            };
            match self.store.write(renew).await {
                Ok(true) => {
                    until = next;
                    wait = self.span / RENEWALS;
                }
                Ok(false) => return,
                Err(error) => {
                    self.trouble("a lease could not be renewed", &error);
                    if self.clock.now() >= until {
                        return;
                    }
                    wait = PAUSE.min(self.span / RENEWALS);
                }
            }
        }
    }

    /// Whether it was still held.
    async fn release(&self, fence: Fence) -> bool {
        let Fence { name, token } = fence;
        let release = async move |tx: &Tx| -> Unit<bool> {
            tx.signal(name);
            Ok(rows::release(tx, name, token).await?)
        };
        let released = self.store.write(release).await;
        released.unwrap_or_else(|error| {
            self.trouble("a lease is left to lapse", &error);
            false
        })
    }

    fn trouble(&self, what: &'static str, error: &dyn std::fmt::Display) {
        let (context, lease) = (self.store.name(), self.name);
        tracing::warn!(context, lease, %error, "{what}");
    }
}
