//! Who else works on the schema. A session of its own holds an advisory lock for
//! as long as the store is open: alone, which refuses every other process, or
//! together with those that share it. Where it is shared, whoever listens to the
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
            if let Some(session) = self.lock().await? {
                break session;
            }
            if Instant::now() >= until {
                let (server, schema) = (self.target.server(), self.target.schema.clone());
                let shared = self.hub.is_shared();
                return Err(OpenError::Occupied {
                    server,
                    schema,
                    shared,
                });
            }
            sleep(AGAIN).await;
        };
        tokio::spawn(self.keep(session));
        Ok(())
    }

    /// The session with the lock; none where another process is in the way.
    async fn lock(&self) -> Result<Option<PgConnection>, OpenError> {
        let explain = |error: sqlx::Error| self.target.explain(&error);
        let mut session = self.target.connect(Purpose::Own).await.map_err(explain)?;
        let lock = if self.hub.is_shared() {
            TOGETHER
        } else {
            ALONE
        };
        let row = sqlx::query(lock).bind(&self.target.schema);
        let row = row.fetch_one(&mut session).await.map_err(explain)?;
        if row.try_get("got").map_err(explain)? {
            return Ok(Some(session));
        }
        // Whatever comes of a goodbye, the connection ends here.
        drop(session.close().await);
        Ok(None)
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
            Ok(Some(session)) => Some(session),
            Ok(None) => {
                let store = &self.hub.name;
                tracing::error!(
                    store,
                    "another process has taken the schema meanwhile; stop one of them"
                );
                None
            }
            // The lanes say that the server is away.
            Err(_) => None,
        }
    }
}
