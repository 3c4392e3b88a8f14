//! The fulfilment of an order, orchestrated. Read from top to bottom it is the
//! flow of every order:
//!
//! | step | does | undone by |
//! |---|---|---|
//! | [`CreateOrder`] | the order is there | `cancel_order`: it is cancelled |
//! | [`ReserveInventory`] | stock is held | `release_inventory` |
//! | [`ProcessPayment`] | the money is taken | `refund_payment` |
//! | [`ArrangeShipping`] | stock leaves the shelf, a shipment is booked | `cancel_shipping` |
//!
//! The last is the pivot: once it is done, the order goes forward only. A step
//! that is refused has those before it undone, in reverse. One that fails is
//! tried again, and then waits for its provider to come back; a customer, an
//! operator, or stock that is no longer held, may turn it around meanwhile.

mod arrange_shipping;
mod create_order;
mod outcome;
mod process_payment;
mod reserve_inventory;

use std::sync::Arc;

use cleave_inventory_contract::port::{InventoryPort, StockLine};
use cleave_payment_contract::port::PaymentPort;
use cleave_saga::{Definition, EXHAUSTED, Exhausted, Step, StepCall, StepPolicy};
use cleave_shipping_contract::port::ShippingPort;
use cleave_store::Store;
use cleave_vocabulary::{Money, OrderId, Refusal, SagaId, UserId};
use serde::{Deserialize, Serialize};

use self::arrange_shipping::ArrangeShipping;
use self::create_order::CreateOrder;
use self::process_payment::ProcessPayment;
use self::reserve_inventory::ReserveInventory;
use crate::application::{About, Progress};
use crate::domain::{Address, Cancellation, CancellationReason};
use crate::settings::StepSettings;

/// The steps, and what each is called when it is undone.
pub(crate) const STEPS: [(&str, &str); 4] = [
    CreateOrder::NAMES,
    ReserveInventory::NAMES,
    ProcessPayment::NAMES,
    ArrangeShipping::NAMES,
];

/// The command that an order begins with: to create it.
pub(crate) fn key_of_creation(saga: SagaId) -> String {
    format!("{saga}:{}", CreateOrder::NAMES.0)
}

/// What the steps need to know of the order; kept with its saga.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderToFulfil {
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) lines: Vec<StockLine>,
    pub(crate) total: Money,
    pub(crate) payment_method: String,
    pub(crate) address: Address,
    /// Why a step was refused, which is why the order will be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Cancellation>,
}

impl OrderToFulfil {
    fn about(&self) -> About {
        About {
            order: self.order_id,
            user: self.user_id,
        }
    }

    /// Why it is undone: because someone asked for that, or because a step was
    /// refused, or else because an operator had its saga compensated.
    fn why(&self, call: &StepCall) -> Cancellation {
        let asked = call
            .reason
            .as_deref()
            .and_then(|reason| reason.parse().ok());
        let refused = || self.refused.clone();
        let by_hand = CancellationReason::CancelledByOperator;
        let asked = asked.map(Cancellation::because).or_else(refused);
        asked.unwrap_or(Cancellation::because(by_hand))
    }

    fn refuse(&mut self, reason: CancellationReason, refusal: &Refusal) {
        let cancellation = Cancellation::because(reason);
        self.refused = Some(if refusal.code == EXHAUSTED {
            // The words are an error's, and not for customers.
            cancellation
        } else {
            cancellation.with(refusal.message.clone())
        });
    }
}

/// What the steps work with.
pub(crate) struct Workshop {
    pub(crate) inventory: Arc<dyn InventoryPort>,
    pub(crate) payment: Arc<dyn PaymentPort>,
    pub(crate) shipping: Arc<dyn ShippingPort>,
    pub(crate) store: Store,
    pub(crate) progress: Progress,
    pub(crate) steps: StepSettings,
}

impl Workshop {
    /// An attempt begins: the log says so already, and followers want to see it.
    fn begins(&self, order: &OrderToFulfil) {
        self.progress.news.wakeups.wake(order.order_id);
    }

    fn policy(&self) -> StepPolicy {
        StepPolicy {
            attempts: self.steps.attempts,
            backoff: self.steps.backoff,
            backoff_limit: self.steps.backoff_limit,
            exhausted: Exhausted::Wait,
            time_limit: self.steps.time_limit,
        }
    }
}

/// The fulfilment of an order, version 1.
pub(crate) struct FulfilOrderV1(pub(crate) Arc<Workshop>);

impl Definition for FulfilOrderV1 {
    type Data = OrderToFulfil;

    const KIND: &'static str = "order_fulfilment";
    const VERSION: u32 = 1;

    fn steps(&self) -> Vec<Box<dyn Step<OrderToFulfil>>> {
        vec![
            Box::new(CreateOrder(self.0.clone())),
            Box::new(ReserveInventory(self.0.clone())),
            Box::new(ProcessPayment(self.0.clone())),
            Box::new(ArrangeShipping(self.0.clone())),
        ]
    }
}
