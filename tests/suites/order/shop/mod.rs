//! Inventory, payment and shipping, played: each remembers the keys of its
//! commands as a provider must, does what the script says next, and says on the
//! bus what it did.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use cleave_inventory_contract::events::{
    InventoryReleased, InventoryReserved, ReleaseReason, ReservationFailed,
};
use cleave_inventory_contract::port::{self as inventory, *};
use cleave_messaging::{EventBus, Receipt};
use cleave_payment_contract::events::{PaymentCompleted, PaymentFailed, PaymentRefunded};
use cleave_payment_contract::port::{self as payment, *};
use cleave_shipping_contract::events::{
    ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentScheduled,
};
use cleave_shipping_contract::port::{self as shipping, *};
use cleave_vocabulary::{
    CallContext, Clock, Currency, Envelope, Event, EventSource, Failure, FailureKind, Id, IdSource,
    KeyedOutcome, Money, OrderId, OutcomeOf, PaymentId, PortError, ProductId, Refusal,
    ReservationId, ShipmentId, SystemClock, UserId, UuidV7Ids,
};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

/// What happens to the next call of an operation.
pub(super) enum Then {
    /// The rule says no; remembered under the key.
    Refuse(&'static str, &'static str),
    /// There is no answer, and it is certain that nothing was done.
    Fail,
    /// There is no answer, though it was done.
    LoseAnswer,
    /// There is no answer, and nothing was done, which nobody knows.
    LoseCommand,
    /// It waits at the gate, and is then done.
    Wait(Gate),
    /// It reaches the gate, undone, and nothing more is heard of it.
    Hang(Gate),
    /// It is done, and then nothing more is heard of it.
    DoAndHang(Gate),
}

/// Where a call waits until a test lets it pass.
#[derive(Clone)]
pub(super) struct Gate(Arc<[Semaphore; 2]>);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new([Semaphore::new(0), Semaphore::new(0)]))
    }

    /// Returns once a call is waiting.
    pub(super) async fn reached(&self) {
        self.0[0].acquire().await.expect("open").forget();
    }

    pub(super) fn open(&self) {
        self.0[1].add_permits(1);
    }

    /// Never returns.
    async fn hang(&self) {
        self.0[0].add_permits(1);
        std::future::pending().await
    }

    async fn pass(&self) {
        self.0[0].add_permits(1);
        self.0[1].acquire().await.expect("open").forget();
    }
}

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

    /// A command, as a provider handles it: by its key, once.
    async fn command<T: Serialize + DeserializeOwned>(
        &self,
        operation: &'static str,
        key: &str,
        effect: impl FnOnce(&mut Books) -> Result<T, Refusal>,
    ) -> Result<T, PortError> {
        let then = {
            let mut books = self.books.lock();
            books.calls.push(operation);
            books
                .script
                .get_mut(operation)
                .and_then(VecDeque::pop_front)
        };
        match &then {
            Some(Then::Wait(gate)) => gate.pass().await,
            Some(Then::Hang(gate)) => gate.hang().await,
            _ => {}
        }
        let hangs = match &then {
            Some(Then::DoAndHang(gate)) => Some(gate.clone()),
            _ => None,
        };
        let answer = {
            let mut books = self.books.lock();
            let mut once = |effect: &mut dyn FnMut(&mut Books) -> Result<Value, Refusal>| {
                if let Some(known) = books.outcomes.get(key) {
                    return known.clone();
                }
                let outcome = effect(&mut books);
                books.outcomes.insert(key.to_owned(), outcome.clone());
                outcome
            };
            let mut effect = Some(effect);
            let mut act = |books: &mut Books| {
                let effect = effect.take().expect("called once");
                effect(books).map(|reply| serde_json::to_value(reply).expect("JSON"))
            };
            match then {
                None | Some(Then::Wait(_) | Then::Hang(_) | Then::DoAndHang(_)) => {
                    once(&mut act).map_err(PortError::from)
                }
                Some(Then::Refuse(code, message)) => {
                    let refused = Refusal::new(code, message);
                    once(&mut |_| Err(refused.clone())).map_err(PortError::from)
                }
                Some(Then::Fail) => {
                    Err(Failure::clean(FailureKind::Unavailable, "scripted").into())
                }
                Some(Then::LoseAnswer) => {
                    let _ = once(&mut act);
                    Err(Failure::unknown(FailureKind::Timeout, "scripted").into())
                }
                Some(Then::LoseCommand) => {
                    Err(Failure::unknown(FailureKind::Timeout, "scripted").into())
                }
            }
        };
        self.publish().await;
        if let Some(gate) = hangs {
            gate.hang().await;
        }
        answer.map(|reply| serde_json::from_value(reply).expect("JSON"))
    }

    /// What became of a command.
    fn outcome<T: DeserializeOwned>(&self, key: &str) -> KeyedOutcome<T> {
        match self.books.lock().outcomes.get(key) {
            None => KeyedOutcome::Never,
            Some(Ok(reply)) => {
                KeyedOutcome::Done(serde_json::from_value(reply.clone()).expect("JSON"))
            }
            Some(Err(refusal)) => KeyedOutcome::Refused(refusal.clone()),
        }
    }

    /// Something that is asked: answered, unless the script has it fail.
    fn question(&self, operation: &'static str) -> Result<(), PortError> {
        let mut books = self.books.lock();
        match books
            .script
            .get_mut(operation)
            .and_then(VecDeque::pop_front)
        {
            Some(_) => Err(Failure::clean(FailureKind::Unavailable, "scripted").into()),
            None => Ok(()),
        }
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

#[async_trait]
impl InventoryPort for Shop {
    async fn quote(&self, _: &CallContext, input: GetQuote) -> Result<Quote, PortError> {
        self.question("quote")?;
        let books = self.books.lock();
        let asked = books
            .products
            .iter()
            .filter(|it| input.product_ids.contains(&it.product_id));
        let products = asked.cloned().collect();
        Ok(Quote { products })
    }

    async fn reserve(
        &self,
        call: &CallContext,
        input: ReserveStock,
    ) -> Result<Reserved, PortError> {
        let order_id = input.order_id;
        let reserved = self
            .command("reserve", &input.key, |books| {
                if let Some((_, state)) = books.stock.get(&order_id) {
                    assert_eq!(*state, HoldingState::Released, "held twice");
                    return Err(Refusal::new(ALREADY_RELEASED, "it was released before"));
                }
                let reservation_id = self.ids.next();
                books
                    .stock
                    .insert(order_id, (reservation_id, HoldingState::Held));
                let expires_at = SystemClock.now();
                let lines = input.lines.clone();
                let event = InventoryReserved {
                    reservation_id,
                    order_id,
                    lines,
                    expires_at,
                };
                self.note(call, books, "inventory", &event);
                Ok(Reserved {
                    reservation_id,
                    expires_at,
                })
            })
            .await;
        if let Err(PortError::Refused(_)) = &reserved {
            let event = ReservationFailed {
                reservation_id: self.ids.next(),
                order_id,
                short: vec![inventory::ShortLine {
                    product_id: input.lines[0].product_id,
                    requested: input.lines[0].quantity,
                    available: 0,
                }],
            };
            self.note(call, &mut self.books.lock(), "inventory", &event);
            self.publish().await;
        }
        reserved
    }

    async fn reserve_outcome(
        &self,
        _: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Reserved>, PortError> {
        self.question("reserve_outcome")?;
        Ok(self.outcome(&input.key))
    }

    async fn take(&self, _: &CallContext, input: TakeStock) -> Result<Taken, PortError> {
        self.command("take", &input.key, |books| {
            let (reservation_id, state) = books.stock.get_mut(&input.order_id).expect("held");
            if *state != HoldingState::Held {
                return Err(Refusal::new(RESERVATION_EXPIRED, "it is not held any more"));
            }
            *state = HoldingState::Taken;
            Ok(Taken {
                reservation_id: *reservation_id,
            })
        })
        .await
    }

    async fn release(
        &self,
        call: &CallContext,
        input: ReleaseStock,
    ) -> Result<Released, PortError> {
        let order_id = input.order_id;
        self.command("release", &input.key, |books| {
            let tombstone = || (self.ids.next(), HoldingState::Released);
            let fresh = !books.stock.contains_key(&order_id);
            let (reservation_id, state) = books.stock.entry(order_id).or_insert_with(tombstone);
            let reservation_id = *reservation_id;
            if fresh {
                return Ok(Released {
                    reservation_id: None,
                });
            }
            if *state != HoldingState::Expired {
                *state = HoldingState::Released;
                let (lines, reason) = (Vec::new(), ReleaseReason::Compensated);
                let event = InventoryReleased {
                    reservation_id,
                    order_id,
                    lines,
                    reason,
                };
                self.note(call, books, "inventory", &event);
            }
            Ok(Released {
                reservation_id: Some(reservation_id),
            })
        })
        .await
    }

    async fn holdings(&self, _: &CallContext, input: GetHoldings) -> Result<Holdings, PortError> {
        let books = self.books.lock();
        let known = |order_id: OrderId| {
            let (_, state) = books.stock.get(&order_id)?;
            Some(Holding {
                order_id,
                state: *state,
            })
        };
        Ok(Holdings {
            items: input.order_ids.into_iter().filter_map(known).collect(),
        })
    }
}

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

#[async_trait]
impl ShippingPort for Shop {
    async fn schedule(
        &self,
        call: &CallContext,
        input: ScheduleShipment,
    ) -> Result<Scheduled, PortError> {
        let order = input.order_id;
        self.command("schedule", &input.key, |books| {
            if books
                .parcels
                .get(&order)
                .is_some_and(|parcel| parcel.cancelled)
            {
                return Err(Refusal::new(ALREADY_CANCELLED, "it was called off before"));
            }
            let shipment_id = self.ids.next();
            let (user, shipment) = (input.user_id, Some(shipment_id));
            books.parcels.insert(
                order,
                Parcel {
                    shipment,
                    user,
                    cancelled: false,
                },
            );
            let scheduled = Scheduled {
                shipment_id,
                carrier: "simulated".to_owned(),
                tracking_number: "TRACK-1".to_owned(),
            };
            let event = ShipmentScheduled {
                shipment_id,
                order_id: order,
                user_id: user,
                carrier: scheduled.carrier.clone(),
                tracking_number: scheduled.tracking_number.clone(),
            };
            self.note(call, books, "shipping", &event);
            Ok(scheduled)
        })
        .await
    }

    async fn resolve_schedule(
        &self,
        _: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Scheduled>, PortError> {
        self.question("resolve_schedule")?;
        Ok(self.outcome(&input.key))
    }

    async fn cancel(
        &self,
        call: &CallContext,
        input: CancelShipment,
    ) -> Result<shipping::Cancelled, PortError> {
        let order = input.order_id;
        self.command("cancel_shipment", &input.key, |books| {
            let nobody = Id::from_uuid(self.ids.uuid());
            let none = || Parcel {
                shipment: None,
                user: nobody,
                cancelled: true,
            };
            let parcel = books.parcels.entry(order).or_insert_with(none);
            parcel.cancelled = true;
            let (shipment_id, user_id) = (parcel.shipment, parcel.user);
            if let Some(shipment_id) = shipment_id {
                let event = ShipmentCancelled {
                    shipment_id,
                    order_id: order,
                    user_id,
                };
                self.note(call, books, "shipping", &event);
            }
            Ok(shipping::Cancelled { shipment_id })
        })
        .await
    }

    async fn shipments(&self, _: &CallContext, _: GetShipments) -> Result<Shipments, PortError> {
        Ok(Shipments { items: Vec::new() })
    }
}
