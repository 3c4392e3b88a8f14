//! Inventory, played.

use async_trait::async_trait;
use cleave_inventory_contract::events::{
    InventoryReleased, InventoryReserved, ReleaseReason, ReservationFailed,
};
use cleave_inventory_contract::port::{self as inventory, *};
use cleave_vocabulary::{
    CallContext, Clock, KeyedOutcome, OrderId, OutcomeOf, PortError, Refusal, SystemClock,
};

use super::Shop;

#[async_trait]
impl InventoryPort for Shop {
    async fn quote(&self, _: &CallContext, input: GetQuote) -> Result<Quote, PortError> {
        self.question("quote")?;
        let books = self.books.lock();
        let asked = books
            .products
            .iter()
            .filter(|it| input.product_ids.contains(&it.product_id));
        let products = asked.cloned().collect();
        Ok(Quote { products })
    }

    async fn reserve(
        &self,
        call: &CallContext,
        input: ReserveStock,
    ) -> Result<Reserved, PortError> {
        let order_id = input.order_id;
        let reserved = self
            .command("reserve", &input.key, |books| {
                if let Some((_, state)) = books.stock.get(&order_id) {
                    assert_eq!(*state, HoldingState::Released, "held twice");
                    return Err(Refusal::new(ALREADY_RELEASED, "it was released before"));
                }
                let reservation_id = self.ids.next();
                books
                    .stock
                    .insert(order_id, (reservation_id, HoldingState::Held));
                let expires_at = SystemClock.now();
                let lines = input.lines.clone();
                let event = InventoryReserved {
                    reservation_id,
                    order_id,
                    lines,
                    expires_at,
                };
                self.note(call, books, "inventory", &event);
                Ok(Reserved {
                    reservation_id,
                    expires_at,
                })
            })
            .await;
        if let Err(PortError::Refused(_)) = &reserved {
            let event = ReservationFailed {
                reservation_id: self.ids.next(),
                order_id,
                short: vec![inventory::ShortLine {
                    product_id: input.lines[0].product_id,
                    requested: input.lines[0].quantity,
                    available: 0,
                }],
            };
            self.note(call, &mut self.books.lock(), "inventory", &event);
            self.publish().await;
        }
        reserved
    }

    async fn reserve_outcome(
        &self,
        _: &CallContext,
        input: OutcomeOf,
    ) -> Result<KeyedOutcome<Reserved>, PortError> {
        self.question("reserve_outcome")?;
        Ok(self.outcome(&input.key))
    }

    async fn take(&self, _: &CallContext, input: TakeStock) -> Result<Taken, PortError> {
        self.command("take", &input.key, |books| {
            let (reservation_id, state) = books.stock.get_mut(&input.order_id).expect("held");
            if *state != HoldingState::Held {
                return Err(Refusal::new(RESERVATION_EXPIRED, "it is not held any more"));
            }
            *state = HoldingState::Taken;
            Ok(Taken {
                reservation_id: *reservation_id,
            })
        })
        .await
    }

    async fn release(
        &self,
        call: &CallContext,
        input: ReleaseStock,
    ) -> Result<Released, PortError> {
        let order_id = input.order_id;
        self.command("release", &input.key, |books| {
            let tombstone = || (self.ids.next(), HoldingState::Released);
            let fresh = !books.stock.contains_key(&order_id);
            let (reservation_id, state) = books.stock.entry(order_id).or_insert_with(tombstone);
            let reservation_id = *reservation_id;
            if fresh {
                return Ok(Released {
                    reservation_id: None,
                });
            }
            if *state != HoldingState::Expired {
                *state = HoldingState::Released;
                let (lines, reason) = (Vec::new(), ReleaseReason::Compensated);
                let event = InventoryReleased {
                    reservation_id,
                    order_id,
                    lines,
                    reason,
                };
                self.note(call, books, "inventory", &event);
            }
            Ok(Released {
                reservation_id: Some(reservation_id),
            })
        })
        .await
    }

    async fn holdings(&self, _: &CallContext, input: GetHoldings) -> Result<Holdings, PortError> {
        let books = self.books.lock();
        let known = |order_id: OrderId| {
            let (_, state) = books.stock.get(&order_id)?;
            Some(Holding {
                order_id,
                state: *state,
            })
        };
        Ok(Holdings {
            items: input.order_ids.into_iter().filter_map(known).collect(),
        })
    }
}
