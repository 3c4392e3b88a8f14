//! Takes the money for an order, once. The payment is written before the
//! gateway is asked and settled after it has answered; whatever happens between
//! the two, the key finds the payment and the gateway's answer again.
//!
//! `queued` is written only where this call was the only one that ever asked
//! and was told that nothing was done. Every other end without an answer leaves
//! a doubt (`pending` or `unknown`), which only the gateway's word removes.

use cleave_payment_contract::port::{ALREADY_REFUNDED, ChargeOrder, Charged};
use cleave_store::{Unit, UnitError};
use cleave_vocabulary::{CallContext, Failure, PortError, Refusal};

use super::{Payments, port_error};
use crate::domain::{Payment, PaymentStatus, Recalled, Slot, another_charge};
use crate::persistence::payments;

/// How a charge begins.
enum Begun {
    /// The payment is new: nobody has asked the gateway.
    Fresh,
    /// The payment was there, its outcome is not: somebody may have asked.
    Again(Box<Payment>),
    /// The outcome is there.
    Over(Result<Charged, Refusal>),
}

impl Payments {
    /// Charges the order, or finds what became of charging it before.
    pub(crate) async fn charge_order(
        &self,
        call: &CallContext,
        command: ChargeOrder,
    ) -> Result<Charged, PortError> {
        if command.amount.amount < 0 {
            let words = "an order cannot cost less than nothing";
            return Err(Refusal::new("invalid_amount", words).into());
        }
        let now = self.clock.now();
        let fresh = Payment::begin(self.ids.next(), self.ids.next(), &command, now);
        match self.begin(&fresh, command).await.map_err(port_error)? {
            Begun::Over(outcome) => Ok(outcome?),
            Begun::Fresh => self.ask(call, fresh).await,
            Begun::Again(payment) => {
                match self.gateway.find(call, &payment.charge_key).await {
                    Ok(Some(outcome)) => self.conclude(call, &payment, outcome).await,
                    Ok(None) => self.ask(call, *payment).await,
                    // To find out is not to act: it adds no doubt of its own.
                    Err(failure) => {
                        let failure = Failure::clean(failure.kind, failure.message);
                        self.leave_open(&payment, failure).await
                    }
                }
            }
        }
    }

    async fn begin(&self, fresh: &Payment, command: ChargeOrder) -> Unit<Begun, Refusal> {
        let fresh = fresh.clone();
        let at = fresh.created_at;
        self.store
            .write(async move |tx| {
                if payments::insert(tx, &fresh).await? {
                    return Ok(Begun::Fresh);
                }
                // Where somebody moves the payment meanwhile, look again.
                loop {
                    let mut payment = match payments::of_order(tx, command.order_id).await? {
                        None => return Err(UnitError::Refused(another_charge())),
                        Some(Slot::Void) => return Ok(Begun::Over(Err(refunded_before()))),
                        Some(Slot::Paid(payment)) => payment,
                    };
                    if let Recalled::Over(outcome) = payment.recall(&command) {
                        return Ok(Begun::Over(outcome));
                    }
                    let next = payment.status.asked_again();
                    if next == payment.status
                        || payments::shift(tx, payment.id, payment.status, next, at).await?
                    {
                        payment.status = next;
                        return Ok(Begun::Again(payment));
                    }
                }
            })
            .await
    }

    async fn ask(&self, call: &CallContext, payment: Payment) -> Result<Charged, PortError> {
        let answer = self
            .gateway
            .charge(call, &payment.charge_key, payment.amount, &payment.method)
            .await;
        match answer {
            Ok(outcome) => self.conclude(call, &payment, outcome).await,
            Err(failure) => self.leave_open(&payment, failure).await,
        }
    }

    /// Records that there was no answer. Somebody else may have had one meanwhile.
    async fn leave_open(&self, payment: &Payment, failure: Failure) -> Result<Charged, PortError> {
        let (id, from, at) = (payment.id, payment.status, self.clock.now());
        let to = from.unanswered(failure.outcome_unknown);
        let doubt = Failure::unknown(failure.kind, failure.message.clone());
        if to == from {
            return Err(doubt.into());
        }
        let moved = self
            .store
            .write(async move |tx| {
                if payments::shift(tx, id, from, to, at).await? {
                    return Ok(Err(to));
                }
                let now = payments::by_id(tx, id).await?;
                let outcome = now.as_ref().and_then(Payment::outcome);
                Ok(outcome.ok_or(PaymentStatus::Unknown))
            })
            .await;
        match moved.map_err(cleave_store::UnitError::into_store_error) {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(PaymentStatus::Queued)) => Err(failure.into()),
            Ok(Err(_)) => Err(doubt.into()),
            Err(error) => {
                // It stays pending, which is a doubt as well.
                tracing::warn!(payment = %id, %error, "how a charge ended is not recorded");
                Err(doubt.into())
            }
        }
    }
}

fn refunded_before() -> Refusal {
    let words = "the order's money was asked back before it was charged";
    Refusal::new(ALREADY_REFUNDED, words)
}
