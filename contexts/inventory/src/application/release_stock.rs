//! Gives back what is held or was taken for an order. Where there is nothing,
//! a tombstone keeps a reservation that comes late from taking effect.

use cleave_inventory_contract::events::InventoryReleased;
use cleave_inventory_contract::port::{ReleaseStock, Released};
use cleave_messaging::Outbox;
use cleave_store::Tx;
use cleave_vocabulary::{CallContext, Envelope, PortError, Timestamp};
use sea_orm::DbErr;

use super::meters::count_reservations;
use super::{Inventory, Parts};
use crate::domain::{Movement, Transition};
use crate::persistence::{self, Settled};
use crate::port::store_failure;

/// Gives back; never refuses, and again makes no difference.
pub(crate) async fn release_stock(
    inventory: &Inventory,
    call: &CallContext,
    command: ReleaseStock,
) -> Result<Released, PortError> {
    let release = Release {
        inventory: inventory.clone(),
        call: call.clone().caused_by(command.key.clone()),
        at: inventory.clock.now(),
        command,
    };
    inventory
        .store
        .write(async move |tx: &Tx| Ok(release.run(tx).await?))
        .await
        .map_err(store_failure)
}

struct Release {
    inventory: Inventory,
    call: CallContext,
    at: Timestamp,
    command: ReleaseStock,
}

impl Release {
    async fn run(&self, tx: &Tx) -> Result<Released, DbErr> {
        // Each try is guarded by the state that it starts from. Where units run
        // side by side all of them can miss, because another unit committed in
        // between; states only go forward, so this ends.
        loop {
            if let Some(released) = self.attempt(tx).await? {
                return Ok(released);
            }
        }
    }

    async fn attempt(&self, tx: &Tx) -> Result<Option<Released>, DbErr> {
        let order = self.command.order_id;
        for transition in [Transition::ReleaseHeld, Transition::ReleaseTaken] {
            let settled = persistence::advance(tx, order, transition, self.at).await?;
            if let Some(released) = settled {
                return self.give_back(tx, transition, &released).await.map(Some);
            }
        }
        if persistence::bury(tx, order, &self.call.correlation, self.at).await? {
            return Ok(Some(Released {
                reservation_id: None,
            }));
        }
        let found = persistence::find_reservation(tx, order).await?;
        let over = found.filter(|reservation| reservation.state.is_final());
        Ok(over.map(|reservation| Released {
            reservation_id: reservation.id,
        }))
    }

    async fn give_back(
        &self,
        tx: &Tx,
        transition: Transition,
        released: &Settled,
    ) -> Result<Released, DbErr> {
        settle(tx, transition, released).await?;
        tell_released(tx, &self.inventory, &self.call, transition, released).await?;
        Ok(Released {
            reservation_id: Some(released.id),
        })
    }
}

/// Moves the stock of what made a transition, and counts it.
pub(super) async fn settle(
    tx: &Tx,
    transition: Transition,
    settled: &Settled,
) -> Result<(), DbErr> {
    let movements: Vec<Movement> = settled
        .lines
        .iter()
        .map(|line| transition.movement(line))
        .collect();
    count_reservations(tx, transition.to(), 1);
    persistence::shift(tx, &movements).await
}

/// Says that it was given back.
pub(super) async fn tell_released(
    tx: &Tx,
    inventory: &Parts,
    call: &CallContext,
    transition: Transition,
    settled: &Settled,
) -> Result<(), DbErr> {
    match released_event(inventory, call, transition, settled) {
        Some(event) => Outbox::append(tx, &[event]).await,
        None => Ok(()),
    }
}

/// The event of a transition that gives back.
pub(super) fn released_event(
    inventory: &Parts,
    call: &CallContext,
    transition: Transition,
    settled: &Settled,
) -> Option<Envelope> {
    let released = InventoryReleased {
        reservation_id: settled.id,
        order_id: settled.order,
        lines: settled.lines.published(),
        reason: transition.reason()?,
    };
    Some(inventory.events.event(call, &released))
}
