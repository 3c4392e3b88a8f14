//! Who else works on the schema. A session of its own holds an advisory lock for
//! as long as the store is open: alone, which refuses every other process, or
//! together with those that share it. Those also hold a second lock under the name of
//! what carries their events, by which whoever comes sees that theirs is another; it
//! ends with its holders, so that nothing need be undone where all of them change.
//! Where it is shared, whoever listens to the store is woken now and then, because the
//! commits of others make no sound here; and all count by the server's clock, which
//! this session asks for the time.

use std::sync::Arc;
use std::time::Duration;

use cleave_vocabulary::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::session::{part, within};
use super::target::{Purpose, Target};
use crate::hub::Hub;
use crate::{OpenError, PostgresOptions};

const ALONE: &str = "SELECT pg_try_advisory_lock(hashtext('cleave process'), hashtext($1)) AS held";
const TOGETHER: &str =
    "SELECT pg_try_advisory_lock_shared(hashtext('cleave process'), hashtext($1)) AS held";
/// The server's time, as timestamps count.
const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros";

/// Nobody takes it alone, so that it is there at once.
const OVER: &str = "SELECT pg_advisory_lock_shared(hashtext('cleave bus of ' || $1), hashtext($2))";
/// The server shows both numbers of a lock without their signs.
const STRANGERS: &str = "SELECT EXISTS (SELECT 1 FROM pg_locks \
     WHERE locktype = 'advisory' AND objsubid = 2 \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND classid::bigint = hashtext('cleave bus of ' || $1)::bigint & 4294967295 \
     AND objid::bigint <> hashtext($2)::bigint & 4294967295) AS any";

/// How long a process that has just died may take to be missed by the server.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two tries at the lock.
const AGAIN: Duration = Duration::from_millis(100);

/// The place of this process at the schema.
pub(super) struct Occupancy {
    pub(super) hub: Arc<Hub>,
    pub(super) target: Arc<Target>,
    pub(super) options: PostgresOptions,
    pub(super) closing: CancellationToken,
}

impl Occupancy {
    /// Takes the place and keeps it until the store is closed.
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the store, which closes or drops what it waits for"
    )]
    pub(super) async fn take(self) -> Result<(), OpenError> {
        let until = Instant::now() + PATIENCE;
        let mut session = loop {
            match self.lock().await? {
                Ok(session) => break session,
                Err(refused) if Instant::now() >= until => return Err(refused),
                Err(_) => sleep(AGAIN).await,
            }
        };
        let ahead = self.compare(&mut session).await;
        let ahead = ahead.map_err(|error| self.target.explain(&error))?;
        if let Some(apart) = self.apart(ahead) {
            part(session, self.options.connect_timeout).await;
            return Err(apart);
        }
        tokio::spawn(self.keep(session));
        Ok(())
    }

    /// The session with the locks; or, inside, how another process is in the way.
    async fn lock(&self) -> Result<Result<PgConnection, OpenError>, OpenError> {
        let explain = |error: sqlx::Error| self.target.explain(&error);
        let mut session = self.target.connect(Purpose::Own).await.map_err(explain)?;
        let lock = if self.hub.is_shared() {
            TOGETHER
        } else {
            ALONE
        };
        let (server, schema) = (self.target.server(), self.target.schema.clone());
        let shared = self.hub.is_shared();
        let locked = self.target.lock(&mut session, lock).await;
        let refused = if !locked.map_err(explain)? {
            OpenError::Occupied {
                server,
                schema,
                shared,
            }
        } else if shared && self.meets_strangers(&mut session).await.map_err(explain)? {
            OpenError::OtherBus { server, schema }
        } else {
            return Ok(Ok(session));
        };
        part(session, self.options.connect_timeout).await;
        Ok(Err(refused))
    }

    /// Whether those who are there have another bus.
    async fn meets_strangers(&self, session: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let Some(bus) = self.hub.bus.lock().clone() else {
            return Ok(false);
        };
        let (schema, patience) = (&self.target.schema, self.options.connect_timeout);
        let over = sqlx::query(OVER).bind(schema).bind(&bus);
        within(patience, over.execute(&mut *session)).await?;
        let strangers = sqlx::query(STRANGERS).bind(schema).bind(&bus);
        let strangers = within(patience, strangers.fetch_one(session)).await?;
        strangers.try_get("any")
    }

    /// By how many microseconds the server's clock is ahead of ours.
    async fn compare(&self, session: &mut PgConnection) -> sqlx::Result<i64> {
        let clock = &self.options.clock.0;
        let asked = clock.now();
        let ask = sqlx::raw_sql(TIME).fetch_one(session);
        let told = within(self.options.connect_timeout, ask).await?;
        let theirs = Timestamp::from_micros(told.try_get("micros")?);
        Ok(self.hub.offset.measure(asked, theirs, clock.now()))
    }

    /// Why clocks that are so far from each other will not do, if they will not.
    fn apart(&self, ahead: i64) -> Option<OpenError> {
        let (by, tolerance) = (
            Duration::from_micros(ahead.unsigned_abs()),
            self.options.clock_tolerance,
        );
        (by > tolerance).then(|| OpenError::ClocksApart {
            server: self.target.server(),
            // Nobody sets a clock by microseconds.
            by: Duration::from_millis(ahead.unsigned_abs() / 1000),
            ahead: ahead < 0,
            tolerance,
        })
    }

    async fn keep(self, session: PgConnection) {
        let mut session = Some(session);
        // A server that does not answer a look delays nobody who listens.
        let kept = async { tokio::join!(self.wake(), self.watch(&mut session)) };
        self.closing.run_until_cancelled(kept).await;
        if let Some(session) = session {
            part(session, self.options.connect_timeout).await;
        }
    }

    async fn wake(&self) {
        loop {
            sleep(self.options.poll).await;
            if self.hub.is_shared() {
                self.hub.listeners.raise_all();
            }
        }
    }

    async fn watch(&self, session: &mut Option<PgConnection>) {
        let mut were_apart = false;
        loop {
            let every = self.options.look_every;
            sleep(if session.is_some() {
                every
            } else {
                every.min(AGAIN)
            })
            .await;
            let Some(ahead) = self.look(session).await else {
                continue;
            };
            let apart = self.apart(ahead);
            if let (Some(error), false) = (&apart, were_apart) {
                tracing::error!(store = self.hub.name, %error, "clocks are apart");
            }
            were_apart = apart.is_some();
        }
    }

    /// How far the clocks are apart by now. A session that ended took the lock with
    /// it: another one takes it again, and where another process was faster the store
    /// takes no units until that has gone.
    async fn look(&self, session: &mut Option<PgConnection>) -> Option<i64> {
        if let Some(held) = session
            && let Ok(ahead) = self.compare(held).await
        {
            return Some(ahead);
        }
        *session = None;
        match self.lock().await {
            Ok(taken) => {
                let refused = taken.as_ref().err();
                if let Some(refused) = refused {
                    tracing::debug!(store = self.hub.name, %refused, "its place is another's");
                }
                self.hub.displaced(refused.is_some());
                *session = taken.ok();
            }
            // Nobody knows. That the server is away is said by the lanes.
            Err(error) => {
                tracing::debug!(store = self.hub.name, %error, "its place is not held");
            }
        }
        None
    }
}
