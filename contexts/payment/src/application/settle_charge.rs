//! Records the gateway's word on a charge, with its event, in one unit. Several
//! may bring the same word (the one who asked, one who found out later): the
//! first records it, the others read what is recorded.

use cleave_messaging::Outbox;
use cleave_payment_contract::events::{PaymentCompleted, PaymentFailed};
use cleave_payment_contract::port::Charged;
use cleave_store::Unit;
use cleave_vocabulary::{CallContext, Envelope, Failure, FailureKind, PortError};
use sea_orm::DbErr;

use super::{Payments, failure};
use crate::domain::{ChargeOutcome, FailureCode, Payment};
use crate::persistence::payments;

impl Payments {
    /// Settles the charge and answers whoever asked for it.
    pub(super) async fn conclude(
        &self,
        call: &CallContext,
        payment: &Payment,
        outcome: ChargeOutcome,
    ) -> Result<Charged, PortError> {
        let settled = self.settle(call, payment, outcome).await.map_err(|error| {
            // The gateway has spoken; that it is not written here makes the
            // outcome unknown to the caller, not undone.
            let lost = failure(error.into_store_error());
            Failure::unknown(lost.kind, lost.message)
        })?;
        let outcome = settled.outcome().ok_or_else(|| {
            // Only a row that was tampered with is settled and does not say how.
            let words = format!("the payment {} does not say how it ended", settled.id);
            Failure::unknown(FailureKind::Broken, words)
        })?;
        Ok(outcome?)
    }

    /// Settles the charge; gives the payment as it is from now on.
    pub(super) async fn settle(
        &self,
        call: &CallContext,
        payment: &Payment,
        outcome: ChargeOutcome,
    ) -> Unit<Payment> {
        let settled = payment.clone().settled(outcome, self.clock.now());
        let event = self.settlement(call, &settled);
        self.store
            .write(async move |tx| {
                if !payments::settle(tx, &settled).await? {
                    let recorded = payments::by_id(tx, settled.id).await?;
                    return Ok(recorded.ok_or_else(|| gone(&settled))?);
                }
                if let Some(event) = &event {
                    Outbox::append(tx, std::slice::from_ref(event)).await?;
                }
                Ok(settled.clone())
            })
            .await
    }

    /// What the world is told. A charge that was called off moved no money and
    /// failed nobody: the order's own events tell of it.
    fn settlement(&self, call: &CallContext, payment: &Payment) -> Option<Envelope> {
        let Some(failure) = &payment.failure else {
            let completed = PaymentCompleted {
                payment_id: payment.id,
                order_id: payment.order_id,
                user_id: payment.user_id,
                transaction_id: payment.transaction_id,
                amount: payment.amount,
            };
            return Some(self.events.event(call, &completed));
        };
        if failure.code == FailureCode::Voided {
            return None;
        }
        let failed = PaymentFailed {
            payment_id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            code: failure.code.as_str().to_owned(),
            message: failure.message.clone(),
        };
        Some(self.events.event(call, &failed))
    }
}

fn gone(payment: &Payment) -> DbErr {
    DbErr::RecordNotFound(format!("the payment {} is gone", payment.id))
}
