//! The words that every context shares: typed ids, money, time, the event
//! envelope, what travels with a call, and the difference between a refusal
//! and a failure.
//!
//! This crate knows neither a web framework nor a database. Anything that
//! needs one of them belongs to another kernel crate.

pub mod call;
pub mod clock;
pub mod country;
pub mod duration;
pub mod envelope;
pub mod errors;
pub mod id;
pub mod line;
pub mod money;
mod text;

pub use call::{CallContext, CorrelationId, TraceParent};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use country::is_country;
pub use envelope::{Envelope, Event, EventSource};
pub use errors::{Failure, FailureKind, KeyedOutcome, OutcomeOf, PortError, Refusal};
pub use id::{
    EventId, Id, IdError, IdSource, NotificationId, OrderId, PaymentId, ProductId, ReservationId,
    SagaId, SequentialIds, ShipmentId, TransactionId, UserId, UuidV7Ids,
};
pub use line::{NOT_ONE_LINE, is_one_line};
pub use money::{Currency, Money, MoneyError};
