//! The context's port, over its use cases.

use std::convert::Infallible;

use async_trait::async_trait;
use cleave_inventory_contract::port::{
    GetHoldings, GetQuote, Holdings, InventoryPort, Quote, ReleaseStock, Released, ReserveStock,
    Reserved, TakeStock, Taken,
};
use cleave_store::{StoreError, UnitError};
use cleave_vocabulary::{CallContext, Failure, FailureKind, KeyedOutcome, OutcomeOf, PortError};

use crate::application::{self as app, Inventory};

/// The implementation that the composition root hands out.
pub(crate) struct LocalPort(pub(crate) Inventory);

#[async_trait]
impl InventoryPort for LocalPort {
    async fn quote(&self, _call: &CallContext, input: GetQuote) -> Result<Quote, PortError> {
        app::quote(&self.0, input).await.map_err(query_failure)
    }

    async fn reserve(
        &self,
        call: &CallContext,
        input: ReserveStock,
    ) -> Result<Reserved, PortError> {
        app::reserve_stock(&self.0, call, input).await
    }

    async fn reserve_outcome(
        &self,
        _call: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Reserved>, PortError> {
        app::reserve_outcome(&self.0, input)
            .await
            .map_err(query_failure)
    }

    async fn take(&self, call: &CallContext, input: TakeStock) -> Result<Taken, PortError> {
        app::take_stock(&self.0, call, input).await
    }

    async fn release(
        &self,
        call: &CallContext,
        input: ReleaseStock,
    ) -> Result<Released, PortError> {
        app::release_stock(&self.0, call, input).await
    }

    async fn holdings(
        &self,
        _call: &CallContext,
        input: GetHoldings,
    ) -> Result<Holdings, PortError> {
        app::holdings(&self.0, input).await.map_err(query_failure)
    }
}

/// A store's failure under a command, whose unit of work may have been
/// committed where the database broke off.
pub(crate) fn store_failure(error: UnitError<Infallible>) -> PortError {
    let error = error.into_store_error();
    let unknown = error.outcome_unknown() || matches!(error, StoreError::Database(_));
    Failure {
        outcome_unknown: unknown,
        ..failure(&error)
    }
    .into()
}

/// A store's failure under a query.
#[expect(clippy::needless_pass_by_value, reason = "a step of `map_err`")]
pub(crate) fn query_failure(error: StoreError) -> PortError {
    failure(&error).into()
}

fn failure(error: &StoreError) -> Failure {
    let kind = match error {
        StoreError::Busy { .. } => FailureKind::Overloaded,
        passing if passing.is_passing() => FailureKind::Unavailable,
        _ => FailureKind::Broken,
    };
    Failure::clean(kind, error.to_string())
}
