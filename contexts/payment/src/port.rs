//! The context's port: extract, call, convert.

use async_trait::async_trait;
use cleave_payment_contract::port::{
    ChargeOrder, Charged, GetPaymentStatus, GetStatements, PaymentPort, PaymentStanding,
    RefundOrder, Refunded, Statements, Supported, SupportsMethod,
};
use cleave_vocabulary::{CallContext, KeyedOutcome, OutcomeOf, PortError};

use crate::application::{Payments, failure};

#[async_trait]
impl PaymentPort for Payments {
    async fn supports(
        &self,
        _call: &CallContext,
        input: SupportsMethod,
    ) -> Result<Supported, PortError> {
        let supported = self.knows_method(&input.payment_method);
        Ok(Supported { supported })
    }

    async fn charge(&self, call: &CallContext, input: ChargeOrder) -> Result<Charged, PortError> {
        self.charge_order(call, input).await
    }

    async fn resolve_charge(
        &self,
        call: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Charged>, PortError> {
        self.resolve(call, input.key).await
    }

    async fn refund(&self, call: &CallContext, input: RefundOrder) -> Result<Refunded, PortError> {
        self.refund_order(call, input).await
    }

    async fn status(
        &self,
        _call: &CallContext,
        input: GetPaymentStatus,
    ) -> Result<PaymentStanding, PortError> {
        let standing = self.standing(input.order_id).await;
        standing.map_err(|error| failure(error.into_store_error()).into())
    }

    async fn statements(
        &self,
        _call: &CallContext,
        input: GetStatements,
    ) -> Result<Statements, PortError> {
        let statements = self.statements_of(input.order_ids).await;
        statements.map_err(|error| failure(error.into_store_error()).into())
    }
}
