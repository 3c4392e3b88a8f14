//! Gives back some or all of a payment, as an operator asks. A refund that is
//! promised is kept: where the gateway is away it is answered as pending, and
//! settled in the background.

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, Money, PaymentId, PortError};

use super::open_refund::{Contended, ROUNDS, contended};
use super::{Payments, failure};
use crate::domain::{Payment, Refund, RefundRefusal, RefundStatus};
use crate::persistence::{payments, refunds};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct RefundRequest {
    pub(crate) payment_id: PaymentId,
    /// All that is left, where there is none.
    pub(crate) amount: Option<Money>,
    pub(crate) reason: String,
    /// Safe to repeat with the same.
    pub(crate) key: String,
    /// Tells whether a repeated key comes with the same words.
    pub(crate) fingerprint: String,
}

type Opened = Result<(Payment, Refund), RefundRefusal>;

impl Payments {
    /// The key of a refund that a request asks for, by the name of the request
    /// where it has one.
    pub(crate) fn refund_key(&self, request: Option<String>) -> String {
        let name = request.unwrap_or_else(|| self.ids.uuid().simple().to_string());
        format!("request:{name}")
    }

    /// Gives money back, or says why not.
    pub(crate) async fn refund_payment(
        &self,
        call: &CallContext,
        request: RefundRequest,
    ) -> Result<Result<Refund, RefundRefusal>, PortError> {
        let (payment, refund) = match self.promise(call, &request).await? {
            Ok(promised) => promised,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if refund.status != RefundStatus::Pending {
            return Ok(given(refund));
        }
        match self.settle_refund(call, &payment, refund.clone()).await {
            Ok(refund) => Ok(given(refund)),
            Err(failure) => {
                tracing::warn!(refund = %refund.id, %failure, "a refund is left to the background");
                Ok(Ok(refund))
            }
        }
    }

    async fn promise(
        &self,
        call: &CallContext,
        request: &RefundRequest,
    ) -> Result<Opened, PortError> {
        for _ in 0..ROUNDS {
            let (this, call, request) = (self.clone(), call.clone(), request.clone());
            let promised = self
                .store
                .write(async move |tx| this.promise_in(tx, &call, &request).await)
                .await;
            match promised {
                Ok(promised) => return Ok(promised),
                Err(UnitError::Refused(Contended)) => {}
                Err(UnitError::Failed(error)) => return Err(failure(error).into()),
            }
        }
        Err(contended().into())
    }

    async fn promise_in(
        &self,
        tx: &Tx,
        call: &CallContext,
        request: &RefundRequest,
    ) -> Unit<Opened, Contended> {
        let Some(payment) = payments::by_id(tx, request.payment_id).await? else {
            return Ok(Err(RefundRefusal::NoSuchPayment));
        };
        if let Some(earlier) = refunds::by_key(tx, &request.key).await? {
            let same = earlier.fingerprint == request.fingerprint
                && earlier.payment_id == request.payment_id;
            return Ok(if same {
                Ok((payment, earlier))
            } else {
                Err(RefundRefusal::KeyReused)
            });
        }
        let amount = match payment.refundable(request.amount) {
            Ok(amount) => amount,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let refund = Refund {
            id: self.ids.next(),
            payment_id: payment.id,
            key: request.key.clone(),
            fingerprint: request.fingerprint.clone(),
            amount,
            reason: request.reason.clone(),
            status: RefundStatus::Pending,
            gateway_reference: None,
            correlation: call.correlation.clone(),
            created_at: self.clock.now(),
        };
        self.open_refund(tx, &refund).await?;
        Ok(Ok((payment, refund)))
    }
}

fn given(refund: Refund) -> Result<Refund, RefundRefusal> {
    match refund.status {
        RefundStatus::Failed => Err(RefundRefusal::GatewayRefused),
        RefundStatus::Pending | RefundStatus::Completed => Ok(refund),
    }
}
