//! Events that are never lost once committed: at least once on the wire, once
//! in effect, in order for each key.
//!
//! ```text
//! unit of work ── outbox ──► relay ──► EventBus ──► consumer ── inbox + effect, one commit
//! ```

mod backoff;
mod bus;
mod carriage;
pub mod conformance;
mod consumer;
mod dead_letters;
mod follower;
mod hand_over;
mod identity;
mod in_process;
mod inbox;
mod keyed_queue;
mod outbox;
mod receipts;
mod relay;
mod sql;

pub use bus::{
    BusError, Delivery, EventBus, Interest, LeftBehind, Receipt, Settle, Subscription, family,
};
pub use consumer::{Consumer, ConsumerOptions, EventHandler, HandleError, Handled, Handler};
pub use dead_letters::{DeadLetter, DeadLetterId, DeadLetters, HandlerGone};
pub use identity::identity;
pub use in_process::{InProcessBus, InProcessOptions};
pub use inbox::Inbox;
pub use keyed_queue::{KeyedQueue, Queued, Taken};
pub use outbox::{OUTBOX, Outbox};
pub use relay::{Relay, RelayHandle, RelayOptions};
