//! A payment context over throwaway stores, with a gateway that can be held,
//! lost and sent away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cleave_hosting::Needs;
use cleave_migrations::payment::{Migrator, SimulatedGatewayMigrator};
use cleave_payment::gateway::simulated::SimulatedGateway;
use cleave_payment::gateway::{BookEntry, ChargeOutcome, PaymentGateway};
use cleave_payment::{PaymentContext, PaymentSettings, build_with};
use cleave_payment_contract::port::{
    ChargeOrder, Charged, GetPaymentStatus, GetStatements, PaymentPort, RefundOrder, Refunded,
    Statement, Wired,
};
use cleave_tests::api::Api;
use cleave_tests::audits::demand_sound;
use cleave_tests::staging::{Gate, Stage};
use cleave_tests::stores::{TempStore, events_of};
use cleave_vocabulary::{
    CallContext, Clock, Currency, Envelope, IdSource, KeyedOutcome, ManualClock, Money, OrderId,
    OutcomeOf, PortError, SequentialIds, UserId,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The context, and what a test looks at beside it.
pub(super) struct Fixture {
    pub(super) built: PaymentContext,
    pub(super) port: Arc<dyn PaymentPort>,
    pub(super) gateway: Arc<Staged>,
    pub(super) store: TempStore,
    pub(super) books: TempStore,
    pub(super) clock: ManualClock,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) call: CallContext,
}

/// Stands before the simulated gateway.
pub(super) struct Staged {
    gateway: SimulatedGateway,
    pub(super) gate: Gate,
    pub(super) charges: AtomicU32,
    pub(super) refunds: AtomicU32,
}

impl Staged {
    pub(super) fn charges(&self) -> u32 {
        self.charges.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl PaymentGateway for Staged {
    fn supports(&self, method: &str) -> bool {
        self.gateway.supports(method)
    }

    async fn charge(
        &self,
        key: &str,
        amount: Money,
        method: &str,
    ) -> Result<ChargeOutcome, PortError> {
        self.charges.fetch_add(1, Ordering::Relaxed);
        self.gate.there()?;
        self.gate.hold(Stage::Before).await;
        let outcome = self.gateway.charge(key, amount, method).await;
        self.gate.hold(Stage::After).await;
        outcome
    }

    async fn find(&self, key: &str) -> Result<Option<ChargeOutcome>, PortError> {
        self.gate.there()?;
        self.gateway.find(key).await
    }

    async fn void(&self, key: &str) -> Result<ChargeOutcome, PortError> {
        self.gate.there()?;
        self.gateway.void(key).await
    }

    async fn refund(&self, key: &str, charge: &str, amount: Money) -> Result<String, PortError> {
        self.refunds.fetch_add(1, Ordering::Relaxed);
        self.gate.there()?;
        let outcome = self.gateway.refund(key, charge, amount).await;
        self.gate.hold(Stage::AfterUndo).await;
        outcome
    }

    async fn taken(&self, keys: &[String]) -> Result<Vec<BookEntry>, PortError> {
        self.gateway.taken(keys).await
    }

    async fn taken_after(
        &self,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<BookEntry>, PortError> {
        self.gateway.taken_after(after, limit).await
    }
}

/// Settings that wait for nothing: time stands still unless a test moves it.
pub(super) fn impatient() -> PaymentSettings {
    let mut settings = PaymentSettings::default();
    settings.gateway.backoff = Duration::ZERO;
    settings.gateway.backoff_limit = Duration::ZERO;
    settings
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with(impatient()).await
    }

    pub(super) async fn with(settings: PaymentSettings) -> Self {
        let store = TempStore::open::<Migrator>().await;
        let books = TempStore::open::<SimulatedGatewayMigrator>().await;
        let clock = ManualClock::default();
        let ids: Arc<dyn IdSource> = Arc::new(SequentialIds::default());
        let latency = settings.simulated.latency;
        let gateway = Arc::new(Staged {
            gateway: SimulatedGateway::new(books.store.clone(), Arc::new(clock.clone()), latency),
            gate: Gate::default(),
            charges: AtomicU32::new(0),
            refunds: AtomicU32::new(0),
        });
        let needs = Needs {
            store: store.store.clone(),
            clock: Arc::new(clock.clone()),
            ids: ids.clone(),
            idempotency: cleave_web::IdempotencyOptions::default(),
        };
        let built = build_with(needs, &settings, gateway.clone());
        let call = CallContext::of("test-1".parse().expect("an id"));
        Self {
            // Through the wire codec: what works here works between processes.
            port: Arc::new(Wired::new(built.port.clone(), Arc::new(clock.clone()))),
            built,
            gateway,
            store,
            books,
            clock,
            call,
            ids,
        }
    }

    /// A charge of £10 for a new order.
    pub(super) fn command(&self, method: &str) -> ChargeOrder {
        let order_id: OrderId = self.ids.next();
        ChargeOrder {
            key: format!("{order_id}:process_payment"),
            order_id,
            user_id: user(),
            amount: gbp(1000),
            payment_method: method.to_owned(),
        }
    }

    pub(super) async fn charge(&self, command: &ChargeOrder) -> Result<Charged, PortError> {
        self.port.charge(&self.call, command.clone()).await
    }

    /// Charges in the background, so that a test may hold it, or drop it as a crash would.
    pub(super) fn charging(
        &self,
        command: &ChargeOrder,
    ) -> tokio::task::JoinHandle<Result<Charged, PortError>> {
        let (port, call, command) = (self.port.clone(), self.call.clone(), command.clone());
        tokio::spawn(async move { port.charge(&call, command).await })
    }

    /// The program dies with the charge at this stage of its way.
    pub(super) async fn crash_at(&self, stage: Stage, command: &ChargeOrder) {
        self.gateway.gate.set(stage);
        self.gateway.gate.crash(self.charging(command)).await;
    }

    /// Charges with a card whose answer never comes, until the guard gives up on it.
    pub(super) async fn charge_unanswered(
        &self,
        command: &ChargeOrder,
    ) -> Result<Charged, PortError> {
        let charging = self.charging(command);
        while self.at_gateway(command).await.is_none() {
            tokio::task::yield_now().await;
        }
        self.elapse(charging, Duration::from_millis(100)).await
    }

    pub(super) async fn resolve(&self, command: &ChargeOrder) -> KeyedOutcome<Charged> {
        let key = command.key.clone();
        let outcome = self
            .port
            .resolve_charge(&self.call, OutcomeOf { key })
            .await;
        outcome.expect("resolved")
    }

    pub(super) async fn refund(&self, command: &ChargeOrder) -> Result<Refunded, PortError> {
        let refund = RefundOrder {
            key: format!("{}:undo", command.key),
            order_id: command.order_id,
            reason: "compensated".to_owned(),
        };
        self.port.refund(&self.call, refund).await
    }

    /// The status that the port tells; empty where there is no payment.
    pub(super) async fn status(&self, order_id: OrderId) -> String {
        let ask = GetPaymentStatus { order_id };
        let standing = self.port.status(&self.call, ask).await.expect("status");
        assert_eq!(standing.payment_id.is_some(), standing.status.is_some());
        standing.status.unwrap_or_default()
    }

    pub(super) async fn statement(&self, order: OrderId) -> Option<Statement> {
        let order_ids = vec![order];
        let ask = GetStatements { order_ids };
        let told = self.port.statements(&self.call, ask).await;
        told.expect("statements").items.pop()
    }

    /// What the gateway took and gave back for the key.
    pub(super) async fn at_gateway(&self, command: &ChargeOrder) -> Option<BookEntry> {
        let keys = [command.key.clone()];
        self.gateway.taken(&keys).await.expect("books").pop()
    }

    /// The events so far, as they go out.
    pub(super) async fn published(&self) -> Value {
        serde_json::to_value(self.envelopes().await).expect("JSON")
    }

    /// The types of the events so far.
    pub(super) async fn events(&self) -> Vec<String> {
        let events = self.envelopes().await;
        events.iter().map(|event| event.kind.to_string()).collect()
    }

    pub(super) async fn envelopes(&self) -> Vec<Envelope> {
        events_of(&self.store.store).await
    }

    /// Moves the clock on until the work in the background has ended.
    pub(super) async fn elapse<T>(&self, work: tokio::task::JoinHandle<T>, step: Duration) -> T {
        while !work.is_finished() {
            self.clock.advance(step);
            tokio::task::yield_now().await;
        }
        work.await.expect("not cancelled")
    }

    /// The public API.
    pub(super) fn api(&self) -> Api {
        Api::trusting(self.built.context.api.clone().split_for_parts().0)
    }

    /// Lets the task in the background work until the order's payment has this status.
    pub(super) async fn sweep_until(&mut self, order: OrderId, status: &str) {
        let stop = CancellationToken::new();
        let tasks = std::mem::take(&mut self.built.context.tasks);
        let sweep = tasks.into_iter().find(|task| task.name == "settle_refunds");
        let running = tokio::spawn((sweep.expect("a task").run)(stop.clone()));
        while self.status(order).await != status {
            self.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        stop.cancel();
        running.await.expect("ends when told to");
    }

    /// Demands that every invariant of the context holds.
    pub(super) async fn audit(&self) {
        demand_sound(&*self.built.context.auditor).await;
    }

    pub(super) fn now(&self) -> cleave_vocabulary::Timestamp {
        self.clock.now()
    }
}

pub(super) fn user() -> UserId {
    "usr_0000000000000000000000000j".parse().expect("an id")
}

pub(super) fn gbp(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

/// The code of a refusal.
pub(super) fn refused<T: std::fmt::Debug>(outcome: Result<T, PortError>) -> String {
    match outcome {
        Err(PortError::Refused(refusal)) => refusal.code.into_owned(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Whether a failure leaves the outcome unknown.
pub(super) fn unknown<T: std::fmt::Debug>(outcome: Result<T, PortError>) -> bool {
    match outcome {
        Err(PortError::Failed(failure)) => failure.outcome_unknown,
        other => panic!("not failed: {other:?}"),
    }
}
