//! Suite: messages to users, from the events that cause them to the mails.

mod inbox;
mod invariants;
mod sending;
mod telling;

use cleave_tests::stores::{TempStore, events_of};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_hosting::{Auditor, Needs, Task};
use cleave_messaging::{HandleError, Handled, Handler, OUTBOX};
use cleave_notification::{
    Delivery, Deps, Mail, MailOutbox, MailTransport, NotificationSettings, SentMail,
};
use cleave_order_contract::events::{OrderCreated, OrderPaid, ShippingAddress};
use cleave_store::{Unit, UnitError};
use cleave_tests::api::Api;
use cleave_user_contract::events::UserRegistered;
use cleave_vocabulary::{
    CallContext, Clock, Currency, Envelope, Event, EventSource, IdSource, ManualClock, Money,
    OrderId, PaymentId, PortError, UserId, UuidV7Ids,
};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The context over a store of its own.
struct World {
    store: TempStore,
    clock: ManualClock,
    api: Api,
    handlers: Vec<Handler>,
    sender: Option<Task>,
    outbox: Option<MailOutbox>,
    auditor: Arc<dyn Auditor>,
    announced: Arc<Notify>,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}, None).await
    }

    async fn with(
        adjust: impl FnOnce(&mut NotificationSettings),
        transport: Option<Arc<dyn MailTransport>>,
    ) -> Self {
        let store = TempStore::open::<cleave_migrations::notification::Migrator>().await;
        let clock = ManualClock::default();
        let mut settings = NotificationSettings::default();
        settings.sender.gather = Duration::ZERO;
        settings.transport.retry.attempts = 1;
        adjust(&mut settings);
        settings.validate().expect("valid settings");
        let built = cleave_notification::build(Deps {
            needs: Needs {
                store: store.store.clone(),
                clock: Arc::new(clock.clone()),
                ids: Arc::new(UuidV7Ids),
                idempotency: cleave_web::IdempotencyOptions::default(),
            },
            settings,
            transport,
        });
        let mut tasks = built.context.tasks.into_iter();
        Self {
            announced: store.store.on(OUTBOX),
            api: Api::trusting(built.context.api.split_for_parts().0),
            handlers: built.context.handlers,
            sender: tasks.find(|task| task.name == "send_notifications"),
            outbox: built.outbox,
            auditor: built.context.auditor,
            store,
            clock,
        }
    }

    /// An event that happens now.
    fn event<E: Event>(&self, payload: &E) -> Envelope {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let source = EventSource::new("/contexts/test", clock, Arc::new(UuidV7Ids));
        let call = CallContext::of("c-1".parse().expect("an id"));
        source.event(&call, payload)
    }

    /// Has the event handled by whoever handles its type.
    async fn handle(&self, event: &Envelope) -> Result<Handled, HandleError> {
        let wants = |handler: &&Handler| handler.types.contains(&event.kind.as_ref());
        let handler = self.handlers.iter().find(wants).expect("a handler");
        let (apply, event) = (handler.apply.clone(), event.clone());
        let handled = self.store.store.write(async move |tx| {
            let handled = apply.handle(tx, &event).await;
            handled.map_err(UnitError::Refused)
        });
        match handled.await {
            Ok(handled) => Ok(handled),
            Err(UnitError::Refused(error)) => Err(error),
            Err(UnitError::Failed(error)) => Err(error.into()),
        }
    }

    /// Has an event handled that happens now.
    async fn tell<E: Event>(&self, payload: &E) -> Envelope {
        let event = self.event(payload);
        let handled = self.handle(&event).await.expect("handled");
        assert_eq!(handled, Handled::Done);
        event
    }

    /// A user who is known here.
    async fn recipient(&self, email: &str) -> UserId {
        let user = new_user(email);
        self.tell(&user).await;
        user.user_id
    }

    /// Begins to send.
    fn start(&mut self) -> Sending {
        let stop = CancellationToken::new();
        let task = self.sender.take().expect("started once");
        let running = tokio::spawn((task.run)(stop.clone()));
        Sending { stop, running }
    }

    /// Waits until so many events have been written here.
    async fn announced(&self, count: usize) -> Vec<Envelope> {
        loop {
            let events = self.events().await;
            if events.len() >= count {
                return events;
            }
            let more = tokio::time::timeout(Duration::from_secs(10), self.announced.notified());
            more.await.expect("more events");
        }
    }

    async fn events(&self) -> Vec<Envelope> {
        events_of(&self.store.store).await
    }

    /// What the simulated transport has taken over, oldest first.
    async fn mails(&self) -> Vec<SentMail> {
        let outbox = self.outbox.as_ref().expect("the simulated transport");
        let mut mails = outbox.newest(None, 10_000).await.expect("the mails");
        mails.reverse();
        mails
    }

    /// How many messages have this status.
    async fn count(&self, status: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS it FROM notifications WHERE status = '{status}'");
        let count: Unit<i64> = self
            .store
            .store
            .read(async move |tx| {
                let query = Statement::from_string(tx.get_database_backend(), sql.clone());
                let row = tx.query_one_raw(query).await?.expect("a row");
                Ok(row.try_get("", "it")?)
            })
            .await;
        count.expect("a count")
    }
}

/// The sender at work.
struct Sending {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Sending {
    /// Stops it, the batch that it has begun finished.
    async fn stop(self) {
        self.stop.cancel();
        self.running.await.expect("it ends well");
    }
}

/// A transport that answers as it is told, and tells what it was asked.
struct Scripted {
    answers: Mutex<VecDeque<Result<Vec<Delivery>, PortError>>>,
    asked: mpsc::UnboundedSender<Vec<Mail>>,
    /// Each answer takes a permit.
    permits: Semaphore,
}

impl Scripted {
    fn new(
        answers: impl IntoIterator<Item = Result<Vec<Delivery>, PortError>>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Vec<Mail>>) {
        let (asked, asks) = mpsc::unbounded_channel();
        let answers = Mutex::new(answers.into_iter().collect());
        let permits = Semaphore::new(Semaphore::MAX_PERMITS);
        let scripted = Self {
            answers,
            asked,
            permits,
        };
        (Arc::new(scripted), asks)
    }
}

#[async_trait]
impl MailTransport for Scripted {
    async fn deliver(
        &self,
        _call: &CallContext,
        mails: &[Mail],
    ) -> Result<Vec<Delivery>, PortError> {
        let answer = self.answers.lock().pop_front();
        let _ = self.asked.send(mails.to_vec());
        self.permits.acquire().await.expect("open").forget();
        answer.unwrap_or_else(|| Ok(vec![Delivery::Accepted; mails.len()]))
    }
}

fn ids() -> Arc<dyn IdSource> {
    Arc::new(UuidV7Ids)
}

fn pounds(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

fn new_user(email: &str) -> UserRegistered {
    UserRegistered {
        user_id: ids().next(),
        email: email.into(),
        name: "Ada Lovelace".into(),
        registered_at: ManualClock::default().now(),
    }
}

fn created(order_id: OrderId, user_id: UserId) -> OrderCreated {
    OrderCreated {
        order_id,
        user_id,
        items: Vec::new(),
        total: pounds(5997),
        payment_method: "pm_card_visa".into(),
        shipping_address: ShippingAddress {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            line2: None,
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
        },
        created_at: ManualClock::default().now(),
    }
}

fn paid(order_id: OrderId, user_id: UserId) -> OrderPaid {
    let payment_id: PaymentId = ids().next();
    OrderPaid {
        order_id,
        user_id,
        payment_id,
        total: pounds(5997),
    }
}
