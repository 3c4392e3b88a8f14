//! The connection inside a unit of work, as sea-orm sees it.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use crate::{StoreError, Unit};

/// Something that whoever is interested wants to hear of after a commit:
/// "the outbox has rows", "a saga may go on". Signals of one name melt together.
pub type Signal = &'static str;

/// The connection of one unit of work (or of one read).
pub struct Tx {
    // the implementer decides
}

impl Tx {
    /// Raises a signal once this unit has committed; lost with it if it does not.
    pub fn signal(&self, signal: Signal) {
        todo!("{signal}")
    }

    /// Runs `then` after this unit has committed, on the store's thread: it must
    /// be short and must not block. Dropped if the unit does not commit.
    pub fn after_commit(&self, then: impl FnOnce() + Send + 'static) {
        drop(Box::new(then));
        todo!()
    }

    /// Runs `part` under a savepoint of its own: where it refuses or fails, its
    /// writes alone are undone and the unit goes on.
    pub async fn attempt<T, R>(
        &self,
        part: impl AsyncFnOnce(&Tx) -> Unit<T, R>,
    ) -> Result<Unit<T, R>, StoreError> {
        Ok(part(self).await)
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        todo!()
    }
    async fn execute_raw(&self, _stmt: Statement) -> Result<ExecResult, DbErr> {
        todo!()
    }
    async fn execute_unprepared(&self, _sql: &str) -> Result<ExecResult, DbErr> {
        todo!()
    }
    async fn query_one_raw(&self, _stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        todo!()
    }
    async fn query_all_raw(&self, _stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        todo!()
    }
}

/// Placeholder so that the skeleton type-checks.
#[allow(dead_code)]
fn _shared(_: Arc<Tx>) {}
