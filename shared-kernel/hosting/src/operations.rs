//! What operators may do with a context's sagas, as `/api/v1/ops` shows it.

use async_trait::async_trait;
use cleave_saga::{SagaFilter, SagaView, Takeup};
use cleave_store::StoreError;
use cleave_vocabulary::SagaId;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum SagaAdminError {
    /// There is no such saga here.
    #[error("no such saga")]
    Unknown,
    /// It can't be taken up as it stands.
    #[error("the saga is not stuck or waiting")]
    NotApplicable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The sagas of one context, for operators.
#[async_trait]
pub trait SagaAdmin: Send + Sync + 'static {
    /// Newest first.
    async fn list(&self, filter: SagaFilter) -> Result<Vec<SagaView>, SagaAdminError>;
    /// One of them.
    async fn find(&self, id: SagaId) -> Result<Option<SagaView>, SagaAdminError>;
    /// Takes one up.
    async fn take_up(&self, id: SagaId, how: Takeup) -> Result<SagaView, SagaAdminError>;
    /// Neither finished nor owned, nor waiting for a time or a person.
    async fn unowned(&self) -> Result<Vec<SagaId>, SagaAdminError>;
}
