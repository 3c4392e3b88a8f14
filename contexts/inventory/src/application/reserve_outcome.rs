//! What became of a reservation, by the key of its command.

use cleave_inventory_contract::port::Reserved;
use cleave_store::{StoreError, Tx, UnitError};
use cleave_vocabulary::{KeyedOutcome, OutcomeOf};

use super::Inventory;
use crate::persistence;

/// The first outcome for the key. It is asked of the writer and not of a
/// reader: whoever asks comes behind the command that it asks about.
pub(crate) async fn reserve_outcome(
    inventory: &Inventory,
    asked: OutcomeOf,
) -> Result<KeyedOutcome<Reserved>, StoreError> {
    inventory
        .store
        .write(async move |tx: &Tx| {
            let Some(reservation) = persistence::find_by_key(tx, &asked.key).await? else {
                return Ok(KeyedOutcome::Never);
            };
            Ok(match reservation.answer_reserve(&asked.key) {
                Ok(reserved) => KeyedOutcome::Done(reserved),
                Err(refusal) => KeyedOutcome::Refused(refusal),
            })
        })
        .await
        .map_err(UnitError::into_store_error)
}
