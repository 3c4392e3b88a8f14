//! Who else works on the schema. A session of its own holds an advisory lock for
//! as long as the store is open: alone, which refuses every other process, or
//! together with those that share it. Those also hold a second lock under the name of
//! what carries their events, by which whoever comes sees that theirs is another; it
//! ends with its holders, so that nothing need be undone where all of them change. Where it is shared, whoever listens to the
//! store is woken now and then, because the commits of others make no sound here.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, Row};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::target::{Purpose, Target};
use crate::hub::Hub;
use crate::{OpenError, PostgresOptions};

const ALONE: &str = "SELECT pg_try_advisory_lock(hashtext('cleave process'), hashtext($1)) AS got";
const TOGETHER: &str =
    "SELECT pg_try_advisory_lock_shared(hashtext('cleave process'), hashtext($1)) AS got";

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
        let session = loop {
            match self.lock().await? {
                Ok(session) => break session,
                Err(refused) if Instant::now() >= until => return Err(refused),
                Err(_) => sleep(AGAIN).await,
            }
        };
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
        let row = sqlx::query(lock).bind(&self.target.schema);
        let row = row.fetch_one(&mut session).await.map_err(explain)?;
        let (server, schema) = (self.target.server(), self.target.schema.clone());
        let shared = self.hub.is_shared();
        let refused = if !row.try_get::<bool, _>("got").map_err(explain)? {
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
        // Whatever comes of a goodbye, the connection ends here.
        drop(session.close().await);
        Ok(Err(refused))
    }

    /// Whether those who are there have another bus.
    async fn meets_strangers(&self, session: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let Some(bus) = self.hub.bus.lock().clone() else {
            return Ok(false);
        };
        let schema = &self.target.schema;
        let over = sqlx::query(OVER).bind(schema).bind(&bus);
        over.execute(&mut *session).await?;
        let strangers = sqlx::query(STRANGERS).bind(schema).bind(&bus);
        strangers.fetch_one(session).await?.try_get("any")
    }

    async fn keep(self, session: PgConnection) {
        let mut session = Some(session);
        let mut looked = Instant::now();
        let closing = self.closing.clone();
        while closing
            .run_until_cancelled(sleep(self.options.poll))
            .await
            .is_some()
        {
            if self.hub.is_shared() {
                self.hub.listeners.raise_all();
            }
            if looked.elapsed() >= self.options.look_every {
                session = self.look(session).await;
                looked = Instant::now();
            }
        }
        if let Some(session) = session {
            drop(session.close().await);
        }
    }

    /// A session that ended took the lock with it: another one takes it again.
    async fn look(&self, session: Option<PgConnection>) -> Option<PgConnection> {
        if let Some(mut session) = session
            && session.execute("SELECT 1").await.is_ok()
        {
            return Some(session);
        }
        match self.lock().await {
            Ok(Ok(session)) => Some(session),
            Ok(Err(refused)) => {
                let store = &self.hub.name;
                tracing::error!(
                    store, %refused,
                    "another process has taken the schema meanwhile; stop one of them"
                );
                None
            }
            // The lanes say that the server is away.
            Err(_) => None,
        }
    }
}
