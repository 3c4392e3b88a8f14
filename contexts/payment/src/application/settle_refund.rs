//! The second half of every refund: have the gateway give the money back, and
//! record it. A refund that a crash or an absent gateway left behind is settled
//! by a sweep; the gateway knows it by its key and gives the money back once.

use std::time::Duration;

use cleave_messaging::Outbox;
use cleave_payment_contract::events::PaymentRefunded;
use cleave_store::{StoreError, Tx, Unit};
use cleave_vocabulary::{CallContext, Failure, FailureKind, PortError};
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use super::{Payments, failure};
use crate::domain::{Payment, Refund, RefundStatus};
use crate::persistence::{payments, refunds};

/// A refund younger than this is left to whoever promised it.
const GRACE: Duration = Duration::from_secs(10);
/// Refunds that one round of the sweep settles.
const BATCH: u64 = 100;

impl Payments {
    /// Settles a promised refund; gives it as it has ended.
    pub(super) async fn settle_refund(
        &self,
        call: &CallContext,
        payment: &Payment,
        mut refund: Refund,
    ) -> Result<Refund, Failure> {
        let Some(charge) = &payment.gateway_reference else {
            let words = format!("the payment {} has no charge to refund", payment.id);
            return Err(Failure::clean(FailureKind::Broken, words));
        };
        let answer = self
            .gateway
            .refund(call, &refund.key, charge, refund.amount)
            .await;
        match answer {
            Ok(reference) => {
                refund.status = RefundStatus::Completed;
                refund.gateway_reference = Some(reference);
            }
            Err(PortError::Refused(refusal)) => {
                tracing::warn!(refund = %refund.id, %refusal, "the gateway refused a refund");
                refund.status = RefundStatus::Failed;
            }
            Err(PortError::Failed(failure)) => return Err(failure),
        }
        let (this, call) = (self.clone(), call.clone());
        self.store
            .write(async move |tx| this.record_refund(tx, &call, &refund).await)
            .await
            .map_err(|error| failure(error.into_store_error()))
    }

    async fn record_refund(&self, tx: &Tx, call: &CallContext, refund: &Refund) -> Unit<Refund> {
        let (amount, at) = (refund.amount.amount, self.clock.now());
        let reference = refund.gateway_reference.as_deref();
        if !refunds::end(tx, refund.id, refund.status, reference, at).await? {
            let ended = refunds::by_key(tx, &refund.key).await?;
            return Ok(ended.ok_or_else(|| gone(refund))?);
        }
        if refund.status == RefundStatus::Failed {
            payments::put_back(tx, refund.payment_id, amount, at).await?;
            return Ok(refund.clone());
        }
        payments::give_back(tx, refund.payment_id, amount, at).await?;
        let payment = payments::by_id(tx, refund.payment_id).await?;
        let payment = payment.ok_or_else(|| gone(refund))?;
        let event = PaymentRefunded {
            payment_id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            transaction_id: refund.id,
            amount: refund.amount,
            refunded: payment.refunded,
            status: payment.status.as_str().to_owned(),
            reason: refund.reason.clone(),
        };
        Outbox::append(tx, &[self.events.event(call, &event)]).await?;
        Ok(refund.clone())
    }

    /// Settles refunds that were left behind; returns how many.
    pub(crate) async fn settle_left_behind(&self) -> Result<usize, StoreError> {
        let before = self.clock.now().minus(GRACE);
        let left = self
            .store
            .read(async move |tx| {
                let mut left = Vec::new();
                for refund in refunds::pending_since(tx, before, BATCH).await? {
                    if let Some(payment) = payments::by_id(tx, refund.payment_id).await? {
                        left.push((payment, refund));
                    }
                }
                Ok(left)
            })
            .await
            .map_err(cleave_store::UnitError::into_store_error)?;
        let mut settled = 0;
        for (payment, refund) in left {
            let call = CallContext::of(refund.correlation.clone()).caused_by(refund.key.clone());
            let id = refund.id;
            match self.settle_refund(&call, &payment, refund).await {
                Ok(_) => settled += 1,
                Err(failure) => tracing::warn!(refund = %id, %failure, "a refund has to wait"),
            }
        }
        Ok(settled)
    }
}

/// Sweeps every so often until told to stop.
pub(crate) async fn sweep(payments: Payments, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = payments.clock.sleep(every) => {}
        }
        if let Err(error) = payments.settle_left_behind().await {
            tracing::warn!(%error, "refunds that were left behind could not be looked for");
        }
    }
}

fn gone(refund: &Refund) -> DbErr {
    DbErr::RecordNotFound(format!("the refund {} or its payment is gone", refund.id))
}
