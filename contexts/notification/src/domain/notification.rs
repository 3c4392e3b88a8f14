//! A message to a user about one event.

use cleave_vocabulary::{
    CallContext, CorrelationId, Envelope, EventId, NotificationId, OrderId, Timestamp, TraceParent,
    UserId,
};

use super::Message;

/// The channel that every message takes.
pub(crate) const EMAIL: &str = "email";

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Welcome,
    OrderCreated,
    OrderConfirmed,
    OrderPaid,
    OrderShipped,
    OrderDelivered,
    OrderCancelled,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Welcome,
        Self::OrderCreated,
        Self::OrderConfirmed,
        Self::OrderPaid,
        Self::OrderShipped,
        Self::OrderDelivered,
        Self::OrderCancelled,
    ];

    /// The name that rows, events and clients see.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::OrderCreated => "order_created",
            Self::OrderConfirmed => "order_confirmed",
            Self::OrderPaid => "order_paid",
            Self::OrderShipped => "order_shipped",
            Self::OrderDelivered => "order_delivered",
            Self::OrderCancelled => "order_cancelled",
        }
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits to be sent.
    Queued,
    /// The transport has taken it over.
    Sent,
    /// It never will be sent.
    Failed,
}

impl Status {
    /// The name that rows keep.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A message as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    pub(crate) id: NotificationId,
    pub(crate) kind: String,
    pub(crate) channel: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) order: Option<OrderId>,
    pub(crate) status: Status,
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) id: NotificationId,
    pub(crate) user: UserId,
    pub(crate) kind: String,
    pub(crate) order: Option<OrderId>,
    pub(crate) message: Message,
    /// How often the transport was asked to take it.
    pub(crate) attempts: u32,
    pub(crate) correlation: CorrelationId,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) created_at: Timestamp,
}

impl Queued {
    /// The message that tells `user` of `event`. It takes the event's own id:
    /// however often the event arrives, it is the same message.
    pub(crate) fn about(
        event: &Envelope,
        (user, order): (UserId, Option<OrderId>),
        kind: Kind,
        message: Message,
        now: Timestamp,
    ) -> Self {
        Self {
            id: NotificationId::from_uuid(event.id.uuid()),
            user,
            kind: kind.as_str().to_owned(),
            order,
            message,
            attempts: 0,
            correlation: event.correlationid.clone(),
            trace: event.traceparent.clone(),
            created_at: now,
        }
    }

    /// The context in which it is sent: caused by the event that it tells of.
    pub(crate) fn call(&self) -> CallContext {
        let cause = EventId::from_uuid(self.id.uuid());
        let mut call = CallContext::of(self.correlation.clone()).caused_by(cause.to_string());
        call.trace.clone_from(&self.trace);
        call
    }
}
