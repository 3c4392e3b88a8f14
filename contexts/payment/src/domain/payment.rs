//! The payment of an order: one charge, and what was given back of it.

use cleave_payment_contract::port::{ChargeOrder, Charged};
use cleave_vocabulary::{Money, OrderId, PaymentId, Refusal, Timestamp, TransactionId, UserId};

use super::{ChargeFailure, ChargeOutcome, PaymentStatus, RefundRefusal};

/// What an order has in this context: at most one of these, ever.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// The money was asked back before anyone asked for it: a charge that comes
    /// late is refused.
    Void,
    /// A payment.
    Paid(Box<Payment>),
}

/// The payment of an order.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) status: PaymentStatus,
    /// The key of the one command that may charge this order.
    pub(crate) charge_key: String,
    /// The charge, as one of the payment's transactions.
    pub(crate) transaction_id: TransactionId,
    pub(crate) method: String,
    /// What is charged.
    pub(crate) amount: Money,
    /// What was given back.
    pub(crate) refunded: Money,
    /// What is set aside for refunds that the gateway has not answered yet.
    pub(crate) refunding: Money,
    /// How the gateway knows the charge, once taken.
    pub(crate) gateway_reference: Option<String>,
    pub(crate) failure: Option<ChargeFailure>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What a repeated charge comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Recalled {
    /// The first outcome.
    Over(Result<Charged, Refusal>),
    /// No outcome yet: the gateway is to be asked what became of it.
    Open,
}

impl Payment {
    /// A payment whose gateway is yet to be asked.
    pub(crate) fn begin(
        id: PaymentId,
        transaction_id: TransactionId,
        command: &ChargeOrder,
        at: Timestamp,
    ) -> Self {
        let nothing = Money::zero(command.amount.currency);
        Self {
            id,
            order_id: command.order_id,
            user_id: command.user_id,
            status: PaymentStatus::Pending,
            charge_key: command.key.clone(),
            transaction_id,
            method: command.payment_method.clone(),
            amount: command.amount,
            refunded: nothing,
            refunding: nothing,
            gateway_reference: None,
            failure: None,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    /// What another command for the same order is answered. A command is the
    /// same one only if it says the same under the same key.
    pub(crate) fn recall(&self, command: &ChargeOrder) -> Recalled {
        let same = self.charge_key == command.key
            && self.amount == command.amount
            && self.method == command.payment_method;
        if !same {
            return Recalled::Over(Err(another_charge()));
        }
        self.outcome().map_or(Recalled::Open, Recalled::Over)
    }

    /// What became of the charge; `None` where the gateway has not said yet.
    /// What was given back later does not change it.
    pub(crate) fn outcome(&self) -> Option<Result<Charged, Refusal>> {
        if let Some(failure) = &self.failure {
            return Some(Err(failure.refusal()));
        }
        self.status.took_money().then_some(Ok(Charged {
            payment_id: self.id,
        }))
    }

    /// The payment once the gateway has had its say.
    pub(crate) fn settled(mut self, outcome: ChargeOutcome, at: Timestamp) -> Self {
        match outcome {
            ChargeOutcome::Taken { reference } => {
                self.status = PaymentStatus::Completed;
                self.gateway_reference = Some(reference);
            }
            ChargeOutcome::Declined { message } => {
                self.status = PaymentStatus::Failed;
                self.failure = Some(ChargeFailure::declined(message));
            }
            ChargeOutcome::Voided => {
                self.status = PaymentStatus::Failed;
                self.failure = Some(ChargeFailure::voided());
            }
        }
        self.version += 1;
        self.updated_at = at;
        self
    }

    /// What could still be given back, beside what is set aside already.
    pub(crate) fn left(&self) -> Money {
        if !self.status.took_money() {
            return Money::zero(self.amount.currency);
        }
        let kept = self.amount.amount - self.refunded.amount - self.refunding.amount;
        Money::new(kept, self.amount.currency)
    }

    /// How much a refund of `asked` (or of all that is left) gives back.
    pub(crate) fn refundable(&self, asked: Option<Money>) -> Result<Money, RefundRefusal> {
        if !self.status.is_settled() {
            return Err(RefundRefusal::NotSettled(self.status));
        }
        let left = self.left();
        let amount = asked.unwrap_or(left);
        if amount.currency != left.currency {
            return Err(RefundRefusal::WrongCurrency(left.currency));
        }
        if asked.is_some_and(|asked| asked.amount <= 0) {
            return Err(RefundRefusal::NotPositive);
        }
        if amount.amount == 0 || amount.amount > left.amount {
            return Err(RefundRefusal::ExceedsCharge { left });
        }
        Ok(amount)
    }
}

/// The refusal of a charge under another key, or with other words, than the one
/// that the order has already: an order is charged once.
pub(crate) fn another_charge() -> Refusal {
    Refusal::new(
        "charge_conflict",
        "the order has another charge already, or the key belongs to another charge",
    )
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{Currency, IdSource, SequentialIds};

    use super::*;

    fn command() -> ChargeOrder {
        let ids: &dyn IdSource = &SequentialIds::default();
        ChargeOrder {
            key: "saga:process_payment".into(),
            order_id: ids.next(),
            user_id: ids.next(),
            amount: gbp(1000),
            payment_method: "pm_card_visa".into(),
        }
    }

    fn gbp(amount: i64) -> Money {
        Money::new(amount, Currency::GBP)
    }

    fn pending() -> Payment {
        let ids: &dyn IdSource = &SequentialIds::default();
        Payment::begin(ids.next(), ids.next(), &command(), Timestamp::EPOCH)
    }

    fn completed() -> Payment {
        let reference = "ch_1".into();
        pending().settled(ChargeOutcome::Taken { reference }, Timestamp::EPOCH)
    }

    #[test]
    fn a_repeated_charge_recalls_the_first_outcome() {
        assert_eq!(pending().recall(&command()), Recalled::Open);
        let payment_id = pending().id;
        let charged = Recalled::Over(Ok(Charged { payment_id }));
        assert_eq!(completed().recall(&command()), charged);
        let mut refunded = completed();
        refunded.status = PaymentStatus::Refunded;
        assert_eq!(refunded.recall(&command()), charged);

        let message = "no".to_owned();
        let declined = pending().settled(ChargeOutcome::Declined { message }, Timestamp::EPOCH);
        let refusal = Refusal::new("payment_declined", "no");
        assert_eq!(declined.recall(&command()), Recalled::Over(Err(refusal)));
        let voided = pending().settled(ChargeOutcome::Voided, Timestamp::EPOCH);
        assert!(matches!(
            voided.recall(&command()),
            Recalled::Over(Err(refusal)) if refusal.code == "already_refunded"
        ));
    }

    #[test]
    fn a_charge_that_differs_in_key_amount_or_method_is_another_one() {
        let others = [
            ChargeOrder {
                key: "other".into(),
                ..command()
            },
            ChargeOrder {
                amount: gbp(1),
                ..command()
            },
            ChargeOrder {
                payment_method: "pm_sim_slow".into(),
                ..command()
            },
        ];
        for other in others {
            assert_eq!(
                completed().recall(&other),
                Recalled::Over(Err(another_charge()))
            );
        }
    }

    #[test]
    fn no_more_is_given_back_than_is_left() {
        let mut payment = completed();
        payment.refunded = gbp(300);
        payment.refunding = gbp(200);
        assert_eq!(payment.refundable(None), Ok(gbp(500)));
        assert_eq!(payment.refundable(Some(gbp(500))), Ok(gbp(500)));
        let left = gbp(500);
        assert_eq!(
            payment.refundable(Some(gbp(501))),
            Err(RefundRefusal::ExceedsCharge { left })
        );
        for amount in [0, -1] {
            assert_eq!(
                payment.refundable(Some(gbp(amount))),
                Err(RefundRefusal::NotPositive)
            );
        }
        let euro = "EUR".parse().expect("a code");
        assert_eq!(
            payment.refundable(Some(Money::new(1, euro))),
            Err(RefundRefusal::WrongCurrency(Currency::GBP))
        );
    }

    #[test]
    fn what_was_not_taken_cannot_be_given_back() {
        assert_eq!(
            pending().refundable(None),
            Err(RefundRefusal::NotSettled(PaymentStatus::Pending))
        );
        let voided = pending().settled(ChargeOutcome::Voided, Timestamp::EPOCH);
        let left = gbp(0);
        for asked in [None, Some(gbp(1))] {
            assert_eq!(
                voided.refundable(asked),
                Err(RefundRefusal::ExceedsCharge { left })
            );
        }
    }
}
