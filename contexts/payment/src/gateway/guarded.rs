//! The gateway behind its guard, which owns the retries on this hop. A charge
//! is repeated only where it is certain that nothing was done; the rest is keyed
//! and may be repeated at will.

use std::sync::Arc;

use cleave_payment_contract::port::PAYMENT_DECLINED;
use cleave_resilience::{Guard, Idempotence};
use cleave_vocabulary::{CallContext, Failure, FailureKind, Money, PortError, Refusal};

use super::{ChargeOutcome, PaymentGateway};

pub(crate) struct GuardedGateway {
    gateway: Arc<dyn PaymentGateway>,
    guard: Guard,
}

impl GuardedGateway {
    pub(crate) fn new(gateway: Arc<dyn PaymentGateway>, guard: Guard) -> Self {
        Self { gateway, guard }
    }

    /// The gateway itself, for what needs no guard: its methods and its books.
    pub(crate) fn unguarded(&self) -> &dyn PaymentGateway {
        self.gateway.as_ref()
    }

    pub(crate) async fn charge(
        &self,
        call: &CallContext,
        key: &str,
        amount: Money,
        method: &str,
    ) -> Result<ChargeOutcome, Failure> {
        let gateway = &self.gateway;
        let answer = self
            .guard
            .call("charge", Idempotence::Once, call, async |_| {
                // To the guard a decline is a refusal, which it counts as an answer.
                match gateway.charge(key, amount, method).await? {
                    ChargeOutcome::Declined { message } => {
                        Err(Refusal::new(PAYMENT_DECLINED, message).into())
                    }
                    outcome => Ok(outcome),
                }
            })
            .await;
        match answer {
            Ok(outcome) => Ok(outcome),
            Err(PortError::Refused(Refusal { message, .. })) => {
                Ok(ChargeOutcome::Declined { message })
            }
            Err(PortError::Failed(failure)) => Err(failure),
        }
    }

    pub(crate) async fn find(
        &self,
        call: &CallContext,
        key: &str,
    ) -> Result<Option<ChargeOutcome>, Failure> {
        let gateway = &self.gateway;
        self.guard
            .call("find", Idempotence::Safe, call, async |_| {
                gateway.find(key).await
            })
            .await
            .map_err(failure)
    }

    pub(crate) async fn void(
        &self,
        call: &CallContext,
        key: &str,
    ) -> Result<ChargeOutcome, Failure> {
        let gateway = &self.gateway;
        self.guard
            .call("void", Idempotence::Safe, call, async |_| {
                gateway.void(key).await
            })
            .await
            .map_err(failure)
    }

    pub(crate) async fn refund(
        &self,
        call: &CallContext,
        key: &str,
        charge: &str,
        amount: Money,
    ) -> Result<String, PortError> {
        let gateway = &self.gateway;
        self.guard
            .call("refund", Idempotence::Safe, call, async |_| {
                gateway.refund(key, charge, amount).await
            })
            .await
    }
}

/// A gateway has no business refusing these; if it does, nobody knows more than before.
fn failure(error: PortError) -> Failure {
    match error {
        PortError::Failed(failure) => failure,
        PortError::Refused(refusal) => Failure::clean(FailureKind::Broken, refusal.to_string()),
    }
}
