//! Payment, played.

use async_trait::async_trait;
use cleave_payment_contract::events::{PaymentCompleted, PaymentFailed, PaymentRefunded};
use cleave_payment_contract::port::{self as payment, *};
use cleave_vocabulary::{CallContext, KeyedOutcome, Money, OrderId, OutcomeOf, PortError, Refusal};

use super::{Account, Shop};

#[async_trait]
impl PaymentPort for Shop {
    async fn supports(
        &self,
        _: &CallContext,
        input: SupportsMethod,
    ) -> Result<Supported, PortError> {
        self.question("supports")?;
        Ok(Supported {
            supported: input.payment_method.starts_with("pm_"),
        })
    }

    async fn charge(&self, call: &CallContext, input: ChargeOrder) -> Result<Charged, PortError> {
        let order = input.order_id;
        let payment = {
            let mut books = self.books.lock();
            let account = books.money.entry(order).or_insert_with(|| Account {
                payment: self.ids.next(),
                user: input.user_id,
                charges: 0,
                charged: Money::zero(input.amount.currency),
                refunded: Money::zero(input.amount.currency),
                status: "pending",
                closed: false,
            });
            account.payment
        };
        let charged = self
            .command("charge", &input.key, |books| {
                let account = books.money.get_mut(&order).expect("an account");
                if account.closed {
                    return Err(Refusal::new(ALREADY_REFUNDED, "it was refunded before"));
                }
                account.charges += 1;
                account.charged = input.amount;
                account.status = "completed";
                let event = PaymentCompleted {
                    payment_id: payment,
                    order_id: order,
                    user_id: input.user_id,
                    transaction_id: self.ids.next(),
                    amount: input.amount,
                };
                self.note(call, books, "payment", &event);
                Ok(Charged {
                    payment_id: payment,
                })
            })
            .await;
        let standing = match &charged {
            Ok(_) => "completed",
            Err(PortError::Refused(_)) => "failed",
            Err(PortError::Failed(failure)) if failure.outcome_unknown => "unknown",
            Err(PortError::Failed(_)) => "queued",
        };
        if let Some(account) = self.books.lock().money.get_mut(&order) {
            account.status = standing;
        }
        if let Err(PortError::Refused(refusal)) = &charged {
            let event = PaymentFailed {
                payment_id: payment,
                order_id: order,
                user_id: input.user_id,
                code: refusal.code.to_string(),
                message: refusal.message.clone(),
            };
            self.note(call, &mut self.books.lock(), "payment", &event);
            self.publish().await;
        }
        charged
    }

    async fn resolve_charge(
        &self,
        _: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Charged>, PortError> {
        self.question("resolve_charge")?;
        Ok(self.outcome(&input.key))
    }

    async fn refund(&self, call: &CallContext, input: RefundOrder) -> Result<Refunded, PortError> {
        let order = input.order_id;
        self.command("refund", &input.key, |books| {
            let Some(account) = books.money.get_mut(&order) else {
                return Ok(Refunded {
                    payment_id: None,
                    amount: None,
                });
            };
            account.closed = true;
            let payment_id = account.payment;
            let amount = account
                .charged
                .checked_sub(account.refunded)
                .expect("one currency");
            if amount.amount == 0 {
                return Ok(Refunded {
                    payment_id: Some(payment_id),
                    amount: None,
                });
            }
            account.refunded = account.charged;
            account.status = "refunded";
            let event = PaymentRefunded {
                payment_id,
                order_id: order,
                user_id: account.user,
                transaction_id: self.ids.next(),
                amount,
                refunded: account.refunded,
                status: "refunded".to_owned(),
                reason: input.reason.clone(),
            };
            self.note(call, books, "payment", &event);
            Ok(Refunded {
                payment_id: Some(payment_id),
                amount: Some(amount),
            })
        })
        .await
    }

    async fn status(
        &self,
        _: &CallContext,
        input: GetPaymentStatus,
    ) -> Result<PaymentStanding, PortError> {
        let books = self.books.lock();
        let account = books.money.get(&input.order_id);
        Ok(PaymentStanding {
            payment_id: account.map(|account| account.payment),
            status: account.map(|account| account.status.to_owned()),
        })
    }

    async fn statements(
        &self,
        _: &CallContext,
        input: GetStatements,
    ) -> Result<Statements, PortError> {
        let books = self.books.lock();
        let known = |order_id: OrderId| {
            let account = books.money.get(&order_id)?;
            Some(payment::Statement {
                order_id,
                completed_charges: account.charges,
                charged: account.charged,
                refunded: account.refunded,
            })
        };
        Ok(Statements {
            items: input.order_ids.into_iter().filter_map(known).collect(),
        })
    }
}
