//! Events to use cases. Two handlers, because the two kinds of events have
//! different keys: what happens to orders must not wait for what happens to users.

mod order_events;
mod user_events;

use std::sync::Arc;

use cleave_messaging::{Handler, Interest};
use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_user_contract::events::UserRegistered;
use cleave_vocabulary::{Clock, Event};

use order_events::TellOfOrders;
use user_events::RememberRecipients;

/// The context's handlers.
const TELL_OF_ORDERS: Interest = Interest {
    handler: "tell_of_orders",
    types: &[
        OrderCreated::TYPE,
        OrderConfirmed::TYPE,
        OrderPaid::TYPE,
        OrderShipped::TYPE,
        OrderDelivered::TYPE,
        OrderCancelled::TYPE,
    ],
};
const REMEMBER_RECIPIENTS: Interest = Interest {
    handler: "remember_recipients",
    types: &[UserRegistered::TYPE],
};
/// What this context's handlers want.
pub const INTERESTS: &[Interest] = &[TELL_OF_ORDERS, REMEMBER_RECIPIENTS];

pub(crate) fn handlers(clock: &Arc<dyn Clock>) -> Vec<Handler> {
    vec![
        Handler {
            name: TELL_OF_ORDERS.handler,
            types: TELL_OF_ORDERS.types,
            apply: Arc::new(TellOfOrders(clock.clone())),
        },
        Handler {
            name: REMEMBER_RECIPIENTS.handler,
            types: REMEMBER_RECIPIENTS.types,
            apply: Arc::new(RememberRecipients(clock.clone())),
        },
    ]
}
