//! Rows into domain types and back. Ordinary reads and writes go through
//! sea-orm's entities; what runs for every order is written as SQL, in few
//! statements that every supported database understands alike.

mod adjustments;
mod cells;
mod entities;
mod products;
mod reservations;
mod stock;

pub(crate) use adjustments::{Adjustment, record_adjustment};
pub(crate) use products::{
    find_product, import, insert_product, list_products, quote, skus, update_product,
};
pub(crate) use reservations::{
    NewReservation, Settled, advance, bury, count_by_state, expire_due, find_by_key,
    find_reservation, holdings, live_lines, next_expiry, open, order_at, refuse, remember_refusal,
    take,
};
pub(crate) use stock::{hold, insert_stock, levels, levels_behind, shift, stock_of};
