//! What messages say. The subject of each names its order, so that no two mails
//! to one person bear the same subject.

use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_user_contract::events::UserRegistered;

use super::amount::written;

/// Subject and body, as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) body: String,
}

impl Message {
    fn new(subject: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            body: body.into(),
        }
    }

    pub(crate) fn welcome(event: &UserRegistered) -> Self {
        Self::new(
            "Welcome to Cleave",
            format!("Welcome, {}. Your account is ready.", event.name),
        )
    }

    pub(crate) fn order_created(event: &OrderCreated) -> Self {
        let (order, total) = (event.order_id, written(event.total));
        Self::new(
            format!("Order {order} received"),
            format!("Thank you. We have received your order {order} over {total}."),
        )
    }

    pub(crate) fn order_confirmed(event: &OrderConfirmed) -> Self {
        let order = event.order_id;
        Self::new(
            format!("Order {order} confirmed"),
            format!("Everything in your order {order} is in stock and set aside for you."),
        )
    }

    pub(crate) fn order_paid(event: &OrderPaid) -> Self {
        let (order, total) = (event.order_id, written(event.total));
        Self::new(
            format!("Order {order} paid"),
            format!("We have received your payment of {total} for order {order}."),
        )
    }

    pub(crate) fn order_shipped(event: &OrderShipped) -> Self {
        let (order, tracking) = (event.order_id, &event.tracking_number);
        Self::new(
            format!("Order {order} shipped"),
            format!("Your order {order} is on its way. Its tracking number is {tracking}."),
        )
    }

    pub(crate) fn order_delivered(event: &OrderDelivered) -> Self {
        let order = event.order_id;
        Self::new(
            format!("Order {order} delivered"),
            format!("Your order {order} has been delivered. Enjoy it."),
        )
    }

    pub(crate) fn order_cancelled(event: &OrderCancelled) -> Self {
        let (order, reason) = (event.order_id, reason(&event.reason));
        Self::new(
            format!("Order {order} cancelled"),
            format!(
                "Your order {order} was cancelled: {reason}. Anything that you have paid for it is returned to you."
            ),
        )
    }
}

/// A reason of `order.cancelled` in words. One that is not known here yet says
/// nothing wrong.
fn reason(code: &str) -> &str {
    match code {
        "insufficient_inventory" => "not everything in it is in stock",
        "payment_declined" => "the payment was declined",
        "shipping_refused" => "the carrier does not deliver to its address",
        "cancelled_by_customer" => "you asked for it",
        "cancelled_by_operator" => "our staff called it off",
        "expired" => "it could not be completed in time",
        _ => "it could not be completed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_contract_has_its_words() {
        let reasons = [
            "insufficient_inventory",
            "payment_declined",
            "shipping_refused",
            "cancelled_by_customer",
            "cancelled_by_operator",
            "expired",
        ];
        let words: std::collections::HashSet<_> = reasons.into_iter().map(reason).collect();
        assert_eq!(words.len(), reasons.len());
        assert!(!words.contains(reason("of another version")));
    }
}
