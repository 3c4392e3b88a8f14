//! Orders as rules alone: what a basket may hold, what it costs, which status
//! may follow which, and when an order can still be called off. Nothing here
//! waits, stores, or asks for the time.

mod basket;
mod cancellation;
mod order;
mod status;
pub(crate) mod timeline;

pub(crate) use basket::{Basket, BasketRefusal, Line, Offer, PricedBasket};
pub(crate) use cancellation::{Cancellation, CancellationReason};
pub(crate) use order::{
    Address, AllowedAction, NotCancellable, Order, PaymentOfOrder, ShipmentOfOrder,
};
pub(crate) use status::{IllegalTransition, Status, Transition};
