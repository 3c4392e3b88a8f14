//! Inventory, payment and shipping, played: each remembers the keys of its
//! commands as a provider must, does what the script says next, and says on the
//! bus what it did.

mod inventory;
mod payment;
mod script;
mod shipping;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use cleave_inventory_contract::events::{InventoryReleased, ReleaseReason};
use cleave_inventory_contract::port::{HoldingState, QuotedProduct};
use cleave_messaging::{EventBus, Receipt};
use cleave_shipping_contract::events::{ShipmentDelivered, ShipmentDispatched};
use cleave_vocabulary::{
    CallContext, Clock, Currency, Envelope, Event, EventSource, IdSource, Money, OrderId,
    PaymentId, ProductId, Refusal, ReservationId, ShipmentId, SystemClock, UserId, UuidV7Ids,
};
use parking_lot::Mutex;
use serde_json::Value;

pub(super) use script::{Gate, Then};

/// The three contexts.
pub(super) struct Shop {
    books: Mutex<Books>,
    bus: Mutex<Arc<dyn EventBus>>,
    sources: HashMap<&'static str, EventSource>,
    ids: Arc<dyn IdSource>,
}

#[derive(Default)]
struct Books {
    products: Vec<QuotedProduct>,
    script: HashMap<&'static str, VecDeque<Then>>,
    calls: Vec<&'static str>,
    outcomes: HashMap<String, Result<Value, Refusal>>,
    stock: HashMap<OrderId, (ReservationId, HoldingState)>,
    money: HashMap<OrderId, Account>,
    parcels: HashMap<OrderId, Parcel>,
    receipts: Vec<Receipt>,
    said: Vec<(&'static str, Envelope)>,
    /// All that ever went out.
    history: Vec<Arc<Envelope>>,
}

struct Account {
    payment: PaymentId,
    user: UserId,
    charges: u32,
    charged: Money,
    refunded: Money,
    status: &'static str,
    closed: bool,
}

struct Parcel {
    shipment: Option<ShipmentId>,
    user: UserId,
    cancelled: bool,
}

impl Shop {
    pub(super) fn new(bus: Arc<dyn EventBus>) -> Self {
        let ids: Arc<dyn IdSource> = Arc::new(UuidV7Ids);
        let source = |name| EventSource::new(name, Arc::new(SystemClock), ids.clone());
        Self {
            books: Mutex::default(),
            bus: Mutex::new(bus),
            sources: HashMap::from([
                ("inventory", source("/contexts/inventory")),
                ("payment", source("/contexts/payment")),
                ("shipping", source("/contexts/shipping")),
            ]),
            ids,
        }
    }

    /// The next calls of an operation meet these, one each.
    pub(super) fn script(&self, operation: &'static str, then: impl IntoIterator<Item = Then>) {
        self.books
            .lock()
            .script
            .entry(operation)
            .or_default()
            .extend(then);
    }

    /// Puts a product into the catalogue.
    pub(super) fn sells(&self, sku: &str, price: i64, available: i64) -> ProductId {
        self.sells_for(sku, Money::new(price, Currency::GBP), available)
    }

    /// The same, in another currency.
    pub(super) fn sells_for(&self, sku: &str, unit_price: Money, available: i64) -> ProductId {
        let product_id = self.ids.next();
        self.books.lock().products.push(QuotedProduct {
            product_id,
            sku: sku.to_owned(),
            name: format!("Product {sku}"),
            unit_price,
            available,
        });
        product_id
    }

    /// Every command so far, by its operation.
    pub(super) fn commands(&self) -> Vec<&'static str> {
        self.books.lock().calls.clone()
    }

    /// How often a command was given.
    pub(super) fn times(&self, operation: &str) -> usize {
        let books = self.books.lock();
        books.calls.iter().filter(|it| **it == operation).count()
    }

    pub(super) fn holding(&self, order: OrderId) -> Option<HoldingState> {
        self.books.lock().stock.get(&order).map(|(_, state)| *state)
    }

    /// How often an order was charged, and what is left of that.
    pub(super) fn kept(&self, order: OrderId) -> (u32, i64) {
        let books = self.books.lock();
        books.money.get(&order).map_or((0, 0), |account| {
            (
                account.charges,
                account.charged.amount - account.refunded.amount,
            )
        })
    }

    pub(super) fn shipment(&self, order: OrderId) -> Option<ShipmentId> {
        let books = self.books.lock();
        let parcel = books.parcels.get(&order)?;
        parcel.shipment.filter(|_| !parcel.cancelled)
    }

    /// Changes what the books of money say, as a fault would.
    pub(super) fn charge_again(&self, order: OrderId) {
        let mut books = self.books.lock();
        let account = books.money.get_mut(&order).expect("a payment");
        account.charges += 1;
    }

    /// Says something on the bus, and returns once it was handled.
    pub(super) async fn say<E: Event>(&self, context: &'static str, event: &E) {
        let call = CallContext::root(&*self.ids);
        let envelope = relayed(&self.sources[context].event(&call, event));
        self.books.lock().history.push(envelope.clone());
        let bus = self.bus.lock().clone();
        let receipt = bus.publish(envelope).await.expect("taken");
        receipt.await.expect("handled");
    }

    /// The bus died with its listeners: says all of it again on another.
    pub(super) async fn move_to(&self, bus: Arc<dyn EventBus>) {
        *self.bus.lock() = bus.clone();
        let history = {
            let mut books = self.books.lock();
            books.receipts.clear();
            books.history.clone()
        };
        for envelope in history {
            let receipt = bus.publish(envelope).await.expect("taken");
            self.books.lock().receipts.push(receipt);
        }
    }

    /// The carrier picks an order up.
    pub(super) async fn dispatch(&self, order: OrderId) {
        let (shipment_id, user_id) = self.parcel(order);
        let event = ShipmentDispatched {
            shipment_id,
            order_id: order,
            user_id,
            tracking_number: "TRACK-1".to_owned(),
            dispatched_at: SystemClock.now(),
        };
        self.say("shipping", &event).await;
    }

    /// The carrier delivers it.
    pub(super) async fn deliver(&self, order: OrderId) {
        let (shipment_id, user_id) = self.parcel(order);
        let event = ShipmentDelivered {
            shipment_id,
            order_id: order,
            user_id,
            delivered_at: SystemClock.now(),
        };
        self.say("shipping", &event).await;
    }

    /// What is held for an order is held no longer.
    pub(super) async fn expire(&self, order: OrderId) {
        let reservation_id = {
            let mut books = self.books.lock();
            let holding = books.stock.get_mut(&order).expect("a reservation");
            holding.1 = HoldingState::Expired;
            holding.0
        };
        let event = InventoryReleased {
            reservation_id,
            order_id: order,
            lines: Vec::new(),
            reason: ReleaseReason::Expired,
        };
        self.say("inventory", &event).await;
    }

    /// Returns once all that was said was handled.
    pub(super) async fn heard(&self) {
        loop {
            let receipts = std::mem::take(&mut self.books.lock().receipts);
            if receipts.is_empty() {
                return;
            }
            for receipt in receipts {
                receipt.await.expect("handled");
            }
        }
    }

    fn parcel(&self, order: OrderId) -> (ShipmentId, UserId) {
        let books = self.books.lock();
        let parcel = &books.parcels[&order];
        (parcel.shipment.expect("a shipment"), parcel.user)
    }

    async fn publish(&self) {
        let said = std::mem::take(&mut self.books.lock().said);
        for (_, envelope) in said {
            let envelope = relayed(&envelope);
            self.books.lock().history.push(envelope.clone());
            let bus = self.bus.lock().clone();
            let receipt = bus.publish(envelope).await.expect("taken");
            self.books.lock().receipts.push(receipt);
        }
    }

    fn note<E: Event>(
        &self,
        call: &CallContext,
        books: &mut Books,
        context: &'static str,
        event: &E,
    ) {
        books
            .said
            .push((context, self.sources[context].event(call, event)));
    }
}

/// An event as it comes out of an outbox.
fn relayed(event: &Envelope) -> Arc<Envelope> {
    let text = serde_json::to_string(event).expect("JSON");
    Arc::new(serde_json::from_str(&text).expect("an envelope"))
}
