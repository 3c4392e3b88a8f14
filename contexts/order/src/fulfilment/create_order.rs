//! The first step: the order is there. It is done by the unit of work that
//! begins the saga; what is left for this step is its compensation, the last
//! of all, after which the order is cancelled.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_saga::{Action, Resolution, Step, StepCall, StepKind, StepPolicy, Undo};
use cleave_store::Tx;
use cleave_vocabulary::Refusal;
use sea_orm::DbErr;
use serde_json::Value;

use super::{OrderToFulfil, Workshop};

pub(super) struct CreateOrder(pub(super) Arc<Workshop>);

impl CreateOrder {
    pub(super) const NAMES: (&str, &str) = ("create_order", "cancel_order");
}

#[async_trait]
impl Step<OrderToFulfil> for CreateOrder {
    fn name(&self) -> &'static str {
        Self::NAMES.0
    }

    fn undo_name(&self) -> &'static str {
        Self::NAMES.1
    }

    fn kind(&self) -> StepKind {
        StepKind::Compensatable
    }

    fn policy(&self) -> StepPolicy {
        self.0.policy()
    }

    async fn act(&self, _call: &StepCall, _order: &OrderToFulfil) -> Action {
        Action::Done(Value::Null)
    }

    async fn resolve(&self, _call: &StepCall, _order: &OrderToFulfil) -> Resolution {
        Resolution::Done(Value::Null)
    }

    /// Nothing outside; what it means here is written when it is logged.
    async fn undo(&self, _call: &StepCall, order: &OrderToFulfil) -> Undo {
        self.0.begins(order);
        Undo::Done
    }

    async fn on_done(
        &self,
        _tx: &Tx,
        _call: &StepCall,
        _order: &mut OrderToFulfil,
        _output: &Value,
    ) -> Result<(), DbErr> {
        Ok(())
    }

    async fn on_refused(
        &self,
        _tx: &Tx,
        _call: &StepCall,
        _order: &mut OrderToFulfil,
        _refusal: &Refusal,
    ) -> Result<(), DbErr> {
        Ok(())
    }

    /// Everything is undone: the order is cancelled.
    async fn on_undone(
        &self,
        tx: &Tx,
        call: &StepCall,
        order: &mut OrderToFulfil,
    ) -> Result<(), DbErr> {
        let why = order.why(call);
        let progress = &self.0.progress;
        progress
            .cancelled(tx, &call.call, order.about(), &why)
            .await
    }
}
