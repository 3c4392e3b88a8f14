//! The port that other contexts call, as this context answers it.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_store::StoreError;
use cleave_user_contract::port::{GetSigningKeys, SigningKeys, UserPort};
use cleave_vocabulary::{CallContext, Failure, FailureKind, PortError};

use crate::application::{Services, signing_keys};

/// The port over the use cases.
pub(crate) struct LocalUserPort(pub(crate) Arc<Services>);

#[async_trait]
impl UserPort for LocalUserPort {
    async fn signing_keys(
        &self,
        _call: &CallContext,
        _input: GetSigningKeys,
    ) -> Result<SigningKeys, PortError> {
        let keys = signing_keys::public(&self.0).await;
        keys.map_err(|error| failure(&error).into())
    }
}

fn failure(error: &StoreError) -> Failure {
    let kind = match error {
        StoreError::Busy { .. } => FailureKind::Overloaded,
        passing if passing.is_passing() => FailureKind::Unavailable,
        _ => FailureKind::Broken,
    };
    Failure::clean(kind, error.to_string())
}
