//! The inbox: (event, handler) is recorded in the transaction of the effect.

use cleave_store::Tx;
use cleave_vocabulary::{EventId, Timestamp};
use sea_orm::DbErr;

/// Records that `handler` handles `event` in this transaction; false where it
/// has been handled before.
pub(crate) async fn record(
    _tx: &Tx,
    _handler: &str,
    _event: EventId,
    _at: Timestamp,
) -> Result<bool, DbErr> {
    todo!()
}
