//! Holds stock for an order: all of its lines, or none. In three statements
//! where it succeeds, however many lines there are.

use std::collections::HashMap;

use cleave_inventory_contract::events::{InventoryReserved, ReservationFailed};
use cleave_inventory_contract::port::{
    INSUFFICIENT_INVENTORY, ReserveStock, Reserved, ShortLine, UNKNOWN_PRODUCT,
};
use cleave_messaging::Outbox;
use cleave_store::Tx;
use cleave_vocabulary::{CallContext, PortError, ProductId, Refusal};
use sea_orm::DbErr;

use super::low_stock::{Moved, low_stock};
use super::meters::count_reservations;
use super::{Answer, Inventory};
use crate::domain::{Lines, Movement, State, StockLevel};
use crate::persistence::{self, NewReservation};
use crate::port::store_failure;

/// Holds stock, once for each order.
pub(crate) async fn reserve_stock(
    inventory: &Inventory,
    call: &CallContext,
    command: ReserveStock,
) -> Result<Reserved, PortError> {
    let reserve = Reserve::new(inventory, call, command)?;
    let answer = inventory
        .store
        .write(async move |tx: &Tx| Ok(reserve.run(tx).await?))
        .await
        .map_err(store_failure)?;
    Ok(answer?)
}

/// The command, ready for a unit of work.
pub(crate) struct Reserve {
    inventory: Inventory,
    call: CallContext,
    new: NewReservation,
}

impl Reserve {
    /// Refuses what no order can mean.
    pub(crate) fn new(
        inventory: &Inventory,
        call: &CallContext,
        command: ReserveStock,
    ) -> Answer<Self> {
        let at = inventory.clock.now();
        let new = NewReservation {
            order: command.order_id,
            id: inventory.ids.next(),
            lines: Lines::sum(&command.lines)?,
            expires_at: at.plus(inventory.settings.reservation_ttl),
            correlation: call.correlation.clone(),
            key: command.key,
            at,
        };
        Ok(Self {
            inventory: inventory.clone(),
            call: call.clone().caused_by(new.key.clone()),
            new,
        })
    }

    /// Does it within the caller's unit of work, which is to commit whatever the
    /// answer is.
    pub(crate) async fn run(&self, tx: &Tx) -> Result<Answer<Reserved>, DbErr> {
        if !persistence::open(tx, &self.new).await? {
            return self.asked_before(tx).await;
        }
        let movements: Vec<Movement> = self.new.lines.iter().map(Movement::hold).collect();
        let held = persistence::hold(tx, &movements).await?;
        if held.len() == movements.len() {
            self.tell_reserved(tx, &movements, &held).await?;
            Ok(Ok(Reserved {
                reservation_id: self.new.id,
                expires_at: self.new.expires_at,
            }))
        } else {
            let refusal = self.give_up(tx, &movements, &held).await?;
            Ok(Err(refusal))
        }
    }

    async fn tell_reserved(
        &self,
        tx: &Tx,
        movements: &[Movement],
        held: &HashMap<ProductId, i64>,
    ) -> Result<(), DbErr> {
        let reserved = InventoryReserved {
            reservation_id: self.new.id,
            order_id: self.new.order,
            lines: self.new.lines.published(),
            expires_at: self.new.expires_at,
        };
        let moved = movements.iter().filter_map(|movement| {
            Some(Moved {
                product: movement.product,
                available: *held.get(&movement.product)?,
                change: movement.available(),
            })
        });
        let mut events = vec![self.inventory.events.event(&self.call, &reserved)];
        events.extend(low_stock(tx, &self.inventory, &self.call, moved).await?);
        count_reservations(tx, State::Held, 1);
        Outbox::append(tx, &events).await
    }

    /// Puts back what could be held, and keeps the refusal as the outcome.
    async fn give_up(
        &self,
        tx: &Tx,
        movements: &[Movement],
        held: &HashMap<ProductId, i64>,
    ) -> Result<Refusal, DbErr> {
        let back: Vec<Movement> = movements
            .iter()
            .filter(|movement| held.contains_key(&movement.product))
            .map(|movement| movement.reversed())
            .collect();
        persistence::shift(tx, &back).await?;
        let missing: Vec<(ProductId, u32)> = self
            .new
            .lines
            .iter()
            .filter(|(product, _)| !held.contains_key(product))
            .collect();
        let products = missing.iter().map(|(product, _)| *product);
        let levels = persistence::levels(tx, products).await?;
        let refusal = refusal(&missing, &levels);
        persistence::refuse(tx, self.new.order, &refusal).await?;
        let failed = ReservationFailed {
            reservation_id: self.new.id,
            order_id: self.new.order,
            short: short_lines(&missing, &levels),
        };
        let event = self.inventory.events.event(&self.call, &failed);
        Outbox::append(tx, &[event]).await?;
        count_reservations(tx, State::Refused, 1);
        Ok(refusal)
    }

    /// The order has a reservation, or the key was used: the first outcome.
    async fn asked_before(&self, tx: &Tx) -> Result<Answer<Reserved>, DbErr> {
        let Some(first) = persistence::find_reservation(tx, self.new.order).await? else {
            return Ok(Err(Refusal::new(
                "idempotency_key_reused",
                "the key was used for another order",
            )));
        };
        let answer = first.answer_reserve(&self.new.key);
        if let (Err(refusal), None) = (&answer, &first.reserve_key) {
            persistence::remember_refusal(tx, self.new.order, &self.new.key, refusal).await?;
        }
        Ok(answer)
    }
}

fn short_lines(
    missing: &[(ProductId, u32)],
    levels: &HashMap<ProductId, StockLevel>,
) -> Vec<ShortLine> {
    let short = missing.iter().map(|(product_id, requested)| ShortLine {
        product_id: *product_id,
        requested: *requested,
        available: levels.get(product_id).map_or(0, |level| level.available()),
    });
    short.collect()
}

fn refusal(missing: &[(ProductId, u32)], levels: &HashMap<ProductId, StockLevel>) -> Refusal {
    let unknown: Vec<ProductId> = missing
        .iter()
        .map(|(product, _)| *product)
        .filter(|product| !levels.contains_key(product))
        .collect();
    if unknown.is_empty() {
        Refusal::new(
            INSUFFICIENT_INVENTORY,
            "there is not enough of each product",
        )
        .with_details(short_lines(missing, levels))
    } else {
        Refusal::new(UNKNOWN_PRODUCT, "there is no such product").with_details(unknown)
    }
}
