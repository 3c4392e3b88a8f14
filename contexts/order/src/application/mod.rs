//! What can be done with orders, one use case to a file. Each owns its
//! transaction and its refusals; none knows of HTTP beyond the answer that an
//! idempotency key replays.

mod await_fulfilment;
mod cancel_order;
mod find_order;
mod follow_order;
mod list_orders;
mod news;
mod place_order;
mod progress;
mod read_timeline;
mod rebuild_read_model;
mod story;

use std::sync::Arc;

use cleave_inventory_contract::port::InventoryPort;
use cleave_payment_contract::port::PaymentPort;
use cleave_saga::Engine;
use cleave_store::Store;
use cleave_vocabulary::{Clock, IdSource};
use cleave_web::Idempotency;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::OrderSettings;

pub(crate) use await_fulfilment::Wait;
pub(crate) use cancel_order::{CancelOrder, CancelRefusal};
pub(crate) use follow_order::{FollowRefusal, Followed};
pub(crate) use list_orders::ListOrders;
pub(crate) use news::{About, News};
pub(crate) use place_order::{PlaceOrder, PlacementRefusal};
pub(crate) use progress::{Moved, Parcel, Progress};
pub use rebuild_read_model::Rebuild;
pub(crate) use rebuild_read_model::Whose;
pub(crate) use story::status_told_by;

/// The request that a command came with: its idempotency key, if it has one,
/// and what its body was.
pub(crate) struct Keyed<'a> {
    pub(crate) scope: &'a cleave_web::Scope,
    pub(crate) digest: [u8; 32],
}

/// The order desk: everything that the use cases work with.
pub(crate) struct Orders {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) settings: OrderSettings,
    pub(crate) idempotency: Idempotency,
    pub(crate) inventory: Arc<dyn InventoryPort>,
    pub(crate) payment: Arc<dyn PaymentPort>,
    pub(crate) engine: Engine,
    pub(crate) news: News,
    /// A place for each live timeline.
    pub(crate) streams: Arc<Semaphore>,
    /// Cancelled when the process stops, so that live timelines end.
    pub(crate) closing: CancellationToken,
}
