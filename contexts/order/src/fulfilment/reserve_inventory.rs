//! The second step: stock is held for the order, until it is taken or the
//! reservation expires. Undone, whatever is held or taken goes back.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_inventory_contract::port::{ALREADY_RELEASED, ReleaseStock, ReserveStock};
use cleave_saga::{Action, Resolution, Step, StepCall, StepKind, StepPolicy, Undo};
use cleave_store::Tx;
use cleave_vocabulary::{OutcomeOf, Refusal};
use sea_orm::DbErr;
use serde_json::Value;

use super::{OrderToFulfil, Workshop, outcome};
use crate::domain::CancellationReason;

pub(super) struct ReserveInventory(pub(super) Arc<Workshop>);

impl ReserveInventory {
    pub(super) const NAMES: (&str, &str) = ("reserve_inventory", "release_inventory");
}

#[async_trait]
impl Step<OrderToFulfil> for ReserveInventory {
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

    async fn act(&self, call: &StepCall, order: &OrderToFulfil) -> Action {
        self.0.begins(order);
        let command = ReserveStock {
            key: call.key.clone(),
            order_id: order.order_id,
            lines: order.lines.clone(),
        };
        outcome::action(self.0.inventory.reserve(&call.call, command).await)
    }

    async fn resolve(&self, call: &StepCall, _order: &OrderToFulfil) -> Resolution {
        let question = OutcomeOf {
            key: call.key.clone(),
        };
        outcome::resolution(self.0.inventory.reserve_outcome(&call.call, question).await)
    }

    async fn undo(&self, call: &StepCall, order: &OrderToFulfil) -> Undo {
        self.0.begins(order);
        let command = ReleaseStock {
            key: call.key.clone(),
            order_id: order.order_id,
        };
        outcome::undo(self.0.inventory.release(&call.call, command).await)
    }

    async fn on_done(
        &self,
        tx: &Tx,
        call: &StepCall,
        order: &mut OrderToFulfil,
        _output: &Value,
    ) -> Result<(), DbErr> {
        if !call.cancelled {
            let progress = &self.0.progress;
            // An order that is not pending any more stays what it is.
            let _ = progress.confirmed(tx, &call.call, order.about()).await?;
        }
        Ok(())
    }

    async fn on_refused(
        &self,
        _tx: &Tx,
        _call: &StepCall,
        order: &mut OrderToFulfil,
        refusal: &Refusal,
    ) -> Result<(), DbErr> {
        let reason = match refusal.code.as_ref() {
            // Released before it was reserved: the reservation comes too late.
            ALREADY_RELEASED => CancellationReason::Expired,
            _ => CancellationReason::InsufficientInventory,
        };
        order.refuse(reason, refusal);
        Ok(())
    }

    async fn on_undone(
        &self,
        tx: &Tx,
        _call: &StepCall,
        order: &mut OrderToFulfil,
    ) -> Result<(), DbErr> {
        self.0.progress.news.wake(tx, order.order_id);
        Ok(())
    }
}
