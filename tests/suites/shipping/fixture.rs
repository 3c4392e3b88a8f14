//! A shipping context over a throwaway store, with a carrier that can be held
//! and sent away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_hosting::Needs;
use cleave_migrations::shipping::Migrator;
use cleave_shipping::carrier::simulated::SimulatedCarrier;
use cleave_shipping::carrier::{Booking, Carrier};
use cleave_shipping::{Deps, ShippingContext, ShippingSettings, build_with};
use cleave_shipping_contract::port::{
    ALREADY_CANCELLED, Address, CancelShipment, Cancelled, GetShipments, ScheduleShipment,
    Scheduled, ShipmentStanding, ShippingPort, Wired,
};
use cleave_tests::api::Api;
use cleave_tests::audits::demand_sound;
use cleave_tests::staging::{Gate, Stage};
use cleave_tests::stores::{TempStore, events_of};
use cleave_vocabulary::{
    CallContext, Envelope, IdSource, KeyedOutcome, ManualClock, OrderId, OutcomeOf, PortError,
    Refusal, SequentialIds, UserId,
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinHandle;

/// The context, and what a test looks at beside it.
pub(super) struct Fixture {
    pub(super) built: ShippingContext,
    pub(super) port: Arc<dyn ShippingPort>,
    pub(super) carrier: Arc<Staged>,
    pub(super) store: TempStore,
    pub(super) clock: ManualClock,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) call: CallContext,
}

/// Stands before the simulated carrier, and remembers what it holds and what
/// was called off, as a real one would.
pub(super) struct Staged {
    carrier: SimulatedCarrier,
    pub(super) gate: Gate,
    pub(super) held: Mutex<BTreeSet<String>>,
    called_off: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Carrier for Staged {
    async fn book(&self, reference: &str, address: &Address) -> Result<Booking, PortError> {
        self.gate.there()?;
        self.gate.hold(Stage::Before).await;
        if self.called_off.lock().contains(reference) {
            return Err(Refusal::new(ALREADY_CANCELLED, "called off").into());
        }
        let booking = self.carrier.book(reference, address).await?;
        self.held.lock().insert(reference.to_owned());
        self.gate.hold(Stage::After).await;
        Ok(booking)
    }

    async fn cancel(&self, reference: &str) -> Result<(), PortError> {
        self.gate.there()?;
        self.called_off.lock().insert(reference.to_owned());
        self.held.lock().remove(reference);
        self.carrier.cancel(reference).await
    }
}

/// Settings that wait for nothing when they retry: time stands still unless a
/// test moves it.
pub(super) fn impatient() -> ShippingSettings {
    let mut settings = ShippingSettings::default();
    settings.carrier.backoff = Duration::ZERO;
    settings.carrier.backoff_limit = Duration::ZERO;
    settings
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with(impatient()).await
    }

    pub(super) async fn with(settings: ShippingSettings) -> Self {
        let store = TempStore::open::<Migrator>().await;
        let clock = ManualClock::default();
        let ids: Arc<dyn IdSource> = Arc::new(SequentialIds::default());
        let carrier = Arc::new(Staged {
            carrier: SimulatedCarrier::new(store.store.clone()),
            gate: Gate::default(),
            held: Mutex::default(),
            called_off: Mutex::default(),
        });
        let needs = Needs {
            store: store.store.clone(),
            clock: Arc::new(clock.clone()),
            ids: ids.clone(),
            idempotency: cleave_web::IdempotencyOptions::default(),
        };
        let built = build_with(Deps { needs, settings }, carrier.clone());
        Self {
            // Through the wire codec: what works here works between processes.
            port: Arc::new(Wired::new(built.port.clone(), Arc::new(clock.clone()))),
            built,
            carrier,
            store,
            clock,
            ids,
            call: CallContext::of("test-1".parse().expect("an id")),
        }
    }

    /// A booking for a new order.
    pub(super) fn command(&self, postal_code: &str) -> ScheduleShipment {
        let order_id: OrderId = self.ids.next();
        let address = Address {
            name: "A. Buyer".to_owned(),
            line1: "1 High Street".to_owned(),
            line2: None,
            city: "London".to_owned(),
            postal_code: postal_code.to_owned(),
            country: "GB".to_owned(),
        };
        ScheduleShipment {
            key: format!("{order_id}:arrange_shipping"),
            order_id,
            user_id: user(),
            address,
        }
    }

    pub(super) async fn schedule(
        &self,
        command: &ScheduleShipment,
    ) -> Result<Scheduled, PortError> {
        self.port.schedule(&self.call, command.clone()).await
    }

    /// Books in the background, so that a test may hold it, or drop it as a crash would.
    pub(super) fn scheduling(
        &self,
        command: &ScheduleShipment,
    ) -> JoinHandle<Result<Scheduled, PortError>> {
        let (port, call, command) = (self.port.clone(), self.call.clone(), command.clone());
        tokio::spawn(async move { port.schedule(&call, command).await })
    }

    /// The program dies with the booking at this stage of its way.
    pub(super) async fn crash_at(&self, stage: Stage, command: &ScheduleShipment) {
        self.carrier.gate.set(stage);
        self.carrier.gate.crash(self.scheduling(command)).await;
    }

    pub(super) async fn resolve(&self, command: &ScheduleShipment) -> KeyedOutcome<Scheduled> {
        let key = command.key.clone();
        let outcome = self.port.resolve_schedule(&self.call, OutcomeOf { key });
        outcome.await.expect("resolved")
    }

    pub(super) async fn cancel(&self, command: &ScheduleShipment) -> Result<Cancelled, PortError> {
        let cancel = CancelShipment {
            key: format!("{}:undo", command.key),
            order_id: command.order_id,
        };
        self.port.cancel(&self.call, cancel).await
    }

    pub(super) async fn standing(&self, order: OrderId) -> Option<ShipmentStanding> {
        let order_ids = vec![order];
        let ask = GetShipments { order_ids };
        let told = self.port.shipments(&self.call, ask).await;
        told.expect("shipments").items.pop()
    }

    /// The status of the order's shipment; empty where there is none.
    pub(super) async fn status(&self, order: OrderId) -> String {
        let standing = self.standing(order).await;
        standing.map_or_else(String::new, |standing| standing.status)
    }

    pub(super) async fn envelopes(&self) -> Vec<Envelope> {
        events_of(&self.store.store).await
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

    /// The public API.
    pub(super) fn api(&self) -> Api {
        Api::trusting(self.built.context.api.clone().split_for_parts().0)
    }

    /// Demands that every invariant of the context holds.
    pub(super) async fn audit(&self) {
        demand_sound(&*self.built.context.auditor).await;
    }
}

pub(super) fn user() -> UserId {
    "usr_0000000000000000000000000j".parse().expect("an id")
}

/// The code of a refusal.
pub(super) fn refused<T: std::fmt::Debug>(outcome: Result<T, PortError>) -> String {
    match outcome {
        Err(PortError::Refused(refusal)) => refusal.code.into_owned(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Demands a failure after which nothing was done.
pub(super) fn assert_failed<T: std::fmt::Debug>(outcome: Result<T, PortError>) {
    match outcome {
        Err(PortError::Failed(failure)) => assert!(!failure.outcome_unknown),
        other => panic!("not failed: {other:?}"),
    }
}
