//! The carrier, as this context needs one: a port that it owns, with an adapter
//! for each carrier there is. A booking is known by our reference, which is the
//! order: so it can be repeated after a crash, and called off by somebody who
//! does not know whether it ever came.

mod guarded;
pub mod simulated;

use async_trait::async_trait;
use cleave_shipping_contract::port::Address;
use cleave_vocabulary::PortError;

pub(crate) use guarded::GuardedCarrier;

/// Picks up and delivers, in the world outside.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Books a pickup for `reference`. Asked again with the same reference, it
    /// gives the first booking. A refusal is the carrier's final word.
    async fn book(&self, reference: &str, address: &Address) -> Result<Booking, PortError>;

    /// Calls off the booking for `reference`, whether it has come or is still on
    /// its way: what comes later is refused with `already_cancelled`. Refuses
    /// with `already_dispatched` what it has picked up.
    async fn cancel(&self, reference: &str) -> Result<(), PortError>;
}

/// The carrier will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Who carries it.
    pub carrier: String,
    /// How the carrier knows it.
    pub tracking_number: String,
}
