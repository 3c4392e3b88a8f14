//! The outbox: the event is written in the transaction that made it true.
//! Nothing is ever deleted from it, so it is the context's event history too.

use cleave_store::{Signal, Tx, Unit};
use cleave_vocabulary::Envelope;
use sea_orm::DbErr;

/// Raised by a commit that wrote to the outbox.
pub const OUTBOX: Signal = "outbox";

/// The outbox of the context whose transaction it is given.
pub struct Outbox;

impl Outbox {
    /// Writes events in the unit's transaction; they go out after its commit, in this order.
    pub async fn append(_tx: &Tx, _events: &[Envelope]) -> Result<(), DbErr> {
        todo!()
    }

    /// The history: up to `limit` events behind `after`, in commit order, each
    /// with its sequence number.
    pub async fn history(_tx: &Tx, _after: i64, _limit: u64) -> Unit<Vec<(i64, Envelope)>> {
        todo!()
    }

    /// The events about one aggregate, in commit order, with their sequence numbers.
    pub async fn of_subject(_tx: &Tx, _subject: &str, _after: i64) -> Unit<Vec<(i64, Envelope)>> {
        todo!()
    }
}
