//! What became of a charge, by the key of its command: for a caller that asked
//! and was not answered.

use cleave_payment_contract::port::Charged;
use cleave_store::UnitError;
use cleave_vocabulary::{CallContext, KeyedOutcome, PortError, Refusal};

use super::{Payments, port_error};
use crate::domain::Payment;
use crate::persistence::payments;

impl Payments {
    /// Tells the outcome where it is known, and asks the gateway where it is
    /// not. `Never` means that no money was taken so far; the charge may be
    /// repeated with the same key, or called off by a refund of the order.
    pub(crate) async fn resolve(
        &self,
        call: &CallContext,
        key: String,
    ) -> Result<KeyedOutcome<Charged>, PortError> {
        let Some(payment) = self.charged_with(key).await? else {
            return Ok(KeyedOutcome::Never);
        };
        if let Some(outcome) = payment.outcome() {
            return Ok(told(outcome));
        }
        match self.gateway.find(call, &payment.charge_key).await? {
            None => Ok(KeyedOutcome::Never),
            Some(outcome) => match self.conclude(call, &payment, outcome).await {
                Ok(charged) => Ok(KeyedOutcome::Done(charged)),
                Err(PortError::Refused(refusal)) => Ok(KeyedOutcome::Refused(refusal)),
                Err(failed) => Err(failed),
            },
        }
    }

    async fn charged_with(&self, key: String) -> Result<Option<Payment>, PortError> {
        self.store
            .read(async move |tx| Ok(payments::by_charge_key(tx, &key).await?))
            .await
            .map_err(|error: UnitError<Refusal>| port_error(error))
    }
}

fn told(outcome: Result<Charged, Refusal>) -> KeyedOutcome<Charged> {
    match outcome {
        Ok(charged) => KeyedOutcome::Done(charged),
        Err(refusal) => KeyedOutcome::Refused(refusal),
    }
}
