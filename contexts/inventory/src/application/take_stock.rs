//! Takes what is held for a paid order, in two statements where it is held.
//! Where it is not, the refusal is final: nothing can be held for the order
//! afterwards either.

use cleave_inventory_contract::port::{TakeStock, Taken};
use cleave_store::Tx;
use cleave_vocabulary::{CallContext, PortError, Timestamp};
use sea_orm::DbErr;

use super::release_stock::{settle, tell_released};
use super::{Answer, Inventory};
use crate::domain::{State, Transition, nothing_held};
use crate::persistence;
use crate::port::store_failure;

/// Takes what is held.
pub(crate) async fn take_stock(
    inventory: &Inventory,
    call: &CallContext,
    command: TakeStock,
) -> Result<Taken, PortError> {
    let take = Take {
        inventory: inventory.clone(),
        call: call.clone().caused_by(command.key.clone()),
        at: inventory.clock.now(),
        command,
    };
    let answer = inventory
        .store
        .write(async move |tx: &Tx| Ok(take.run(tx).await?))
        .await
        .map_err(store_failure)?;
    Ok(answer?)
}

struct Take {
    inventory: Inventory,
    call: CallContext,
    at: Timestamp,
    command: TakeStock,
}

impl Take {
    async fn run(&self, tx: &Tx) -> Result<Answer<Taken>, DbErr> {
        let TakeStock { key, order_id } = &self.command;
        let Some(taken) = persistence::take(tx, *order_id, key, self.at).await? else {
            return self.not_held(tx).await;
        };
        settle(tx, Transition::Take, &taken).await?;
        Ok(Ok(Taken {
            reservation_id: taken.id,
        }))
    }

    /// Nothing was held, or no longer: answers, and sees to it that the answer
    /// stays true.
    async fn not_held(&self, tx: &Tx) -> Result<Answer<Taken>, DbErr> {
        let order = self.command.order_id;
        let found = persistence::find_reservation(tx, order).await?;
        let Some(reservation) = found else {
            persistence::bury(tx, order, &self.call.correlation, self.at).await?;
            return Ok(Err(nothing_held()));
        };
        if reservation.state == State::Held {
            // It lapsed, and whoever sweeps has not come by yet.
            self.expire(tx).await?;
            return Ok(Err(nothing_held()));
        }
        Ok(reservation.answer_take(&self.command.key))
    }

    async fn expire(&self, tx: &Tx) -> Result<(), DbErr> {
        let order = self.command.order_id;
        let expired = persistence::advance(tx, order, Transition::Expire, self.at).await?;
        if let Some(expired) = expired {
            settle(tx, Transition::Expire, &expired).await?;
            tell_released(
                tx,
                &self.inventory,
                &self.call,
                Transition::Expire,
                &expired,
            )
            .await?;
        }
        Ok(())
    }
}
