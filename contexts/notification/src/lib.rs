//! The notification context: tells users what happens to their orders. It hears
//! events and sends mails; nobody calls it, and nothing waits for it.

mod application;
mod audit;
mod domain;
mod http;
mod messaging;
mod persistence;
mod settings;
mod transport;

use std::sync::Arc;

use cleave_hosting::{Context, Needs, Task};
use cleave_messaging::DeadLetters;
use cleave_resilience::Guard;
use cleave_vocabulary::EventSource;

use crate::application::send::Sender;
use crate::audit::NotificationAuditor;
use crate::transport::GuardedTransport;

pub use messaging::INTERESTS;
pub use settings::{NotificationSettings, SenderSettings};
pub use transport::{Delivery, Mail, MailOutbox, MailTransport, SentMail};

/// What the context is built from.
pub struct Deps {
    /// What every context needs.
    pub needs: Needs,
    /// Its settings, validated.
    pub settings: NotificationSettings,
    /// How mail leaves the house; without one, into the simulated outbox.
    pub transport: Option<Arc<dyn MailTransport>>,
}

/// The context, and what the process that hosts it may do with it.
pub struct NotificationContext {
    /// What it offers to its host.
    pub context: Context,
    /// What the simulated transport has taken over; none where the transport is
    /// another.
    pub outbox: Option<MailOutbox>,
}

/// Builds the context.
pub fn build(deps: Deps) -> NotificationContext {
    let Deps {
        needs,
        settings,
        transport,
    } = deps;
    let (transport, outbox) =
        transport.map_or_else(|| simulated(&needs), |transport| (transport, None));
    let guard = Guard::new(
        "notification.mail",
        settings.transport.clone(),
        needs.clock.clone(),
    );
    let app = http::App {
        store: needs.store.clone(),
        clock: needs.clock.clone(),
        idempotency: needs.idempotency(),
    };
    let auditor = NotificationAuditor {
        store: needs.store.clone(),
        clock: needs.clock.clone(),
        simulated: outbox.is_some(),
    };
    let transport = GuardedTransport::new(transport, guard.clone());
    let tasks = vec![sender(&needs, settings, transport), sweeper(&app)];
    let context = Context {
        name: "notification",
        api: http::api(app),
        internal: axum::Router::new(),
        handlers: messaging::handlers(&needs.clock),
        tasks,
        dead_letters: DeadLetters::new(needs.store.clone()),
        store: needs.store,
        guards: vec![guard],
        sagas: None,
        auditor: Arc::new(auditor),
    };
    NotificationContext { context, outbox }
}

fn simulated(needs: &Needs) -> (Arc<dyn MailTransport>, Option<MailOutbox>) {
    let outbox = MailOutbox::new(needs.store.clone(), needs.clock.clone());
    (Arc::new(outbox.clone()), Some(outbox))
}

fn sender(needs: &Needs, settings: NotificationSettings, transport: GuardedTransport) -> Task {
    let sender = Sender {
        store: needs.store.clone(),
        clock: needs.clock.clone(),
        ids: needs.ids.clone(),
        events: EventSource::new(
            "/contexts/notification",
            needs.clock.clone(),
            needs.ids.clone(),
        ),
        transport,
        settings: settings.sender,
    };
    Task::new("send_notifications", |stop| sender.run(stop))
}

fn sweeper(app: &http::App) -> Task {
    let idempotency = app.idempotency.clone();
    Task::new("sweep_idempotency", async move |stop| {
        idempotency.sweep_until(stop).await;
    })
}
