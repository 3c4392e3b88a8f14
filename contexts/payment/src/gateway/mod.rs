//! The payment gateway, as this context needs one: a port that it owns, with an
//! adapter for each gateway there is. Every command carries a key, and the same
//! key never moves money twice. A refusal is the gateway's answer; a failure
//! says whether it may have acted all the same.

mod guarded;
pub mod simulated;

use async_trait::async_trait;
use cleave_vocabulary::{Money, PortError};

pub use crate::domain::ChargeOutcome;
pub(crate) use guarded::GuardedGateway;

/// Takes and gives back money, in the world outside.
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    /// Whether it knows the payment method at all.
    fn supports(&self, method: &str) -> bool;

    /// Takes `amount` once for `key`. Asked again with the same key, it gives
    /// the first outcome.
    async fn charge(
        &self,
        key: &str,
        amount: Money,
        method: &str,
    ) -> Result<ChargeOutcome, PortError>;

    /// What became of the charge with this key; `None` where it has not come,
    /// though it may be on its way.
    async fn find(&self, key: &str) -> Result<Option<ChargeOutcome>, PortError>;

    /// Calls off the charge with this key: where it has not taken the money, it
    /// never will, however late it comes. Tells what holds from now on.
    async fn void(&self, key: &str) -> Result<ChargeOutcome, PortError>;

    /// Gives back `amount` of the charge that it knows as `charge`, once for
    /// `key`; returns how it knows the refund.
    async fn refund(&self, key: &str, charge: &str, amount: Money) -> Result<String, PortError>;

    /// Its own books, for the audit: the charges with these keys that took money.
    async fn taken(&self, keys: &[String]) -> Result<Vec<BookEntry>, PortError>;

    /// Its own books, for the audit: up to `limit` charges that took money, in
    /// the order of their references, behind `after`.
    async fn taken_after(
        &self,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<BookEntry>, PortError>;
}

/// A charge that took money, in the gateway's own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookEntry {
    /// The key that it was asked for with.
    pub key: String,
    /// How the gateway knows it.
    pub reference: String,
    /// How much was taken.
    pub amount: Money,
    /// How much of it was given back.
    pub refunded: Money,
}
