//! Gives back all that is kept for an order: the undoing of its charge. It
//! holds whatever the charge is doing meanwhile. Where there is none, a
//! tombstone refuses the late one; where its outcome is open, the gateway calls
//! it off or tells that the money was taken, which is then given back.

use cleave_payment_contract::port::{RefundOrder, Refunded};
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, PortError, Refusal};

use super::open_refund::{Contended, ROUNDS, contended};
use super::{Payments, failure};
use crate::domain::{ChargeOutcome, Payment, PaymentStatus, Refund, RefundStatus, Slot};
use crate::persistence::{payments, refunds};

/// What to do next.
enum Step {
    /// Nothing is kept any more.
    Over(Refunded),
    /// Have the gateway call the charge off.
    CallOff(Box<Payment>),
    /// Have the gateway give money back.
    GiveBack(Box<Payment>, Box<Refund>),
    /// Somebody was faster: look again.
    Again,
}

impl Payments {
    /// Gives back what is left; safe to repeat.
    pub(crate) async fn refund_order(
        &self,
        call: &CallContext,
        command: RefundOrder,
    ) -> Result<Refunded, PortError> {
        for _ in 0..ROUNDS {
            match self.next_step(call, &command).await? {
                Step::Over(refunded) => return Ok(refunded),
                Step::CallOff(payment) => {
                    let outcome = self.gateway.void(call, &payment.charge_key).await?;
                    let settled = self.settle(call, &payment, outcome).await;
                    settled.map_err(|error| failure(error.into_store_error()))?;
                }
                Step::GiveBack(payment, refund) => {
                    let ended = self.settle_refund(call, &payment, *refund).await?;
                    if ended.status == RefundStatus::Failed && ended.key == command.key {
                        return Err(refused().into());
                    }
                }
                Step::Again => {}
            }
        }
        Err(contended().into())
    }

    async fn next_step(
        &self,
        call: &CallContext,
        command: &RefundOrder,
    ) -> Result<Step, PortError> {
        let (this, call, command) = (self.clone(), call.clone(), command.clone());
        let step = self
            .store
            .write(async move |tx| this.step(tx, &call, &command).await)
            .await;
        match step {
            Ok(step) => Ok(step?),
            Err(UnitError::Refused(Contended)) => Ok(Step::Again),
            Err(UnitError::Failed(error)) => Err(failure(error).into()),
        }
    }

    async fn step(
        &self,
        tx: &Tx,
        call: &CallContext,
        command: &RefundOrder,
    ) -> Unit<Result<Step, Refusal>, Contended> {
        let earlier = refunds::by_key(tx, &command.key).await?;
        let payment = match payments::of_order(tx, command.order_id).await? {
            Some(Slot::Paid(payment)) => payment,
            Some(Slot::Void) => return Ok(Ok(nothing(None))),
            None => {
                let at = self.clock.now();
                return if payments::insert_void(tx, self.ids.next(), command.order_id, at).await? {
                    Ok(Ok(nothing(None)))
                } else {
                    Err(UnitError::Refused(Contended))
                };
            }
        };
        if let Some(refund) = earlier {
            return Ok(recalled(payment, refund));
        }
        if payment.status == PaymentStatus::Queued {
            // Nobody is asking the gateway, so that it need not be reached.
            let voided = payment.settled(ChargeOutcome::Voided, self.clock.now());
            return if payments::settle_queued(tx, &voided).await? {
                Ok(Ok(nothing(Some(&voided))))
            } else {
                Err(UnitError::Refused(Contended))
            };
        }
        if !payment.status.is_settled() {
            return Ok(Ok(Step::CallOff(payment)));
        }
        if payment.refunding.amount > 0
            && let Some(other) = refunds::pending_of(tx, payment.id).await?
        {
            // What another has set aside is given back first, or is free again.
            return Ok(Ok(Step::GiveBack(payment, Box::new(other))));
        }
        if payment.left().amount == 0 {
            return Ok(Ok(nothing(Some(&payment))));
        }
        let refund = Refund {
            id: self.ids.next(),
            payment_id: payment.id,
            key: command.key.clone(),
            fingerprint: String::new(),
            amount: payment.left(),
            reason: command.reason.clone(),
            status: RefundStatus::Pending,
            gateway_reference: None,
            correlation: call.correlation.clone(),
            created_at: self.clock.now(),
        };
        self.open_refund(tx, &refund).await?;
        Ok(Ok(Step::GiveBack(payment, Box::new(refund))))
    }
}

fn nothing(payment: Option<&Payment>) -> Step {
    Step::Over(Refunded {
        payment_id: payment.map(|payment| payment.id),
        amount: None,
    })
}

/// What a repeated command finds.
fn recalled(payment: Box<Payment>, refund: Refund) -> Result<Step, Refusal> {
    if refund.payment_id != payment.id {
        let words = "the key was used for a refund of another order";
        return Err(Refusal::new("key_reused", words));
    }
    match refund.status {
        RefundStatus::Pending => Ok(Step::GiveBack(payment, Box::new(refund))),
        RefundStatus::Failed => Err(refused()),
        RefundStatus::Completed => Ok(Step::Over(Refunded {
            payment_id: Some(payment.id),
            amount: Some(refund.amount),
        })),
    }
}

fn refused() -> Refusal {
    Refusal::new(
        "refund_refused",
        "the gateway does not give this money back",
    )
}
