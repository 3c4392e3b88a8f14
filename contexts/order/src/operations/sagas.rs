//! The saga engine, as operators may use it.

use async_trait::async_trait;
use cleave_hosting::{SagaAdmin, SagaAdminError};
use cleave_saga::{Engine, NoSuchSaga, SagaFilter, SagaView, Takeup};
use cleave_store::UnitError;
use cleave_vocabulary::SagaId;

pub(crate) struct Sagas(pub(crate) Engine);

#[async_trait]
impl SagaAdmin for Sagas {
    async fn list(&self, filter: SagaFilter) -> Result<Vec<SagaView>, SagaAdminError> {
        self.0.list(filter).await.map_err(failed)
    }

    async fn find(&self, id: SagaId) -> Result<Option<SagaView>, SagaAdminError> {
        self.0.find(id).await.map_err(failed)
    }

    async fn take_up(&self, id: SagaId, how: Takeup) -> Result<SagaView, SagaAdminError> {
        self.0.take_up(id, how).await.map_err(|error| match error {
            UnitError::Refused(NoSuchSaga::Unknown) => SagaAdminError::Unknown,
            UnitError::Refused(NoSuchSaga::NotApplicable) => SagaAdminError::NotApplicable,
            UnitError::Failed(error) => SagaAdminError::Store(error),
        })
    }

    async fn unowned(&self) -> Result<Vec<SagaId>, SagaAdminError> {
        self.0.unowned().await.map_err(failed)
    }
}

fn failed(error: UnitError<std::convert::Infallible>) -> SagaAdminError {
    SagaAdminError::Store(error.into_store_error())
}
