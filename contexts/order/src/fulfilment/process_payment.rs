//! The third step: the money is taken, once, whatever happens to the answer. A
//! gateway that is away does not cancel the order: it waits as `queued` and
//! goes on when the gateway is back. Undone, whatever was taken is given back.

use std::sync::Arc;

use async_trait::async_trait;
use cleave_payment_contract::port::{ChargeOrder, Charged, GetPaymentStatus, RefundOrder};
use cleave_saga::{Action, Resolution, Step, StepCall, StepKind, StepPolicy, Undo};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::{OutcomeOf, Refusal};
use sea_orm::DbErr;
use serde_json::Value;

use super::{OrderToFulfil, Workshop, outcome};
use crate::domain::CancellationReason;
use crate::persistence as rows;

pub(super) struct ProcessPayment(pub(super) Arc<Workshop>);

/// The statuses of a payment that nothing follows once its order is undone.
const ENDED: [&str; 2] = ["failed", "refunded"];

impl ProcessPayment {
    pub(super) const NAMES: (&str, &str) = ("process_payment", "refund_payment");
}

#[async_trait]
impl Step<OrderToFulfil> for ProcessPayment {
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
        let command = ChargeOrder {
            key: call.key.clone(),
            order_id: order.order_id,
            user_id: order.user_id,
            amount: order.total,
            payment_method: order.payment_method.clone(),
        };
        let action = outcome::action(self.0.payment.charge(&call.call, command).await);
        if !matches!(action, Action::Done(_)) {
            self.note_standing(call, order).await;
        }
        action
    }

    async fn resolve(&self, call: &StepCall, order: &OrderToFulfil) -> Resolution {
        let question = OutcomeOf {
            key: call.key.clone(),
        };
        let answer = self.0.payment.resolve_charge(&call.call, question).await;
        let resolution = outcome::resolution(answer);
        if !matches!(resolution, Resolution::Done(_)) {
            self.note_standing(call, order).await;
        }
        resolution
    }

    async fn undo(&self, call: &StepCall, order: &OrderToFulfil) -> Undo {
        self.0.begins(order);
        let command = RefundOrder {
            key: call.key.clone(),
            order_id: order.order_id,
            reason: order.why(call).reason.as_str().to_owned(),
        };
        let answer = self.0.payment.refund(&call.call, command).await;
        if answer.is_ok() {
            // Where no money moved, no event tells that the payment is called off.
            self.note_standing(call, order).await;
        }
        outcome::undo(answer)
    }

    async fn on_done(
        &self,
        tx: &Tx,
        call: &StepCall,
        order: &mut OrderToFulfil,
        output: &Value,
    ) -> Result<(), DbErr> {
        let charged: Charged = outcome::reply(output)?;
        if !call.cancelled {
            let (about, payment, total) = (order.about(), charged.payment_id, order.total);
            let _ = self
                .0
                .progress
                .paid(tx, &call.call, about, payment, total)
                .await?;
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
        order.refuse(CancellationReason::PaymentDeclined, refusal);
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

impl ProcessPayment {
    /// Shows with the order how its payment stands: `queued` or `unknown` while it
    /// waits, `failed` or `refunded` in the end. Events tell of the end as well, but
    /// whoever waits for the order hears of both at once. Not worth an attempt of
    /// its own if it can't be had.
    async fn note_standing(&self, call: &StepCall, order: &OrderToFulfil) {
        let id = order.order_id;
        let question = GetPaymentStatus { order_id: id };
        let Ok(standing) = self.0.payment.status(&call.call, question).await else {
            return;
        };
        let (Some(payment), Some(status)) = (standing.payment_id, standing.status) else {
            return;
        };
        let now = self.0.progress.clock.now();
        let news = self.0.progress.news.clone();
        let noted: Unit<()> = self
            .0
            .store
            .write(async move |tx| {
                let noted = if ENDED.contains(&status.as_str()) {
                    rows::note_payment(tx, id, payment, &status, now).await?
                } else {
                    rows::note_unpaid(tx, id, payment, &status, now).await?
                };
                if noted {
                    news.wake(tx, id);
                }
                Ok(())
            })
            .await;
        if let Err(error) = noted {
            tracing::warn!(order = %id, %error, "how the payment stands was not written down");
        }
    }
}
