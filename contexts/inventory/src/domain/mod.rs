//! The rules of catalogue and stock, pure and synchronous: what a product may
//! look like, how stock moves, and what a reservation can become. Nothing here
//! knows of a database, a clock or a request.

mod lines;
mod product;
mod reservation;
mod stock;

pub(crate) use lines::Lines;
pub use product::Rule;
pub(crate) use product::{
    Description, DescriptionChange, MAX_ON_HAND, NewProduct, OnHand, Price, Product,
    ProductChanges, ProductName, Sku, searchable,
};
pub(crate) use reservation::{Reservation, State, Transition, nothing_held};
pub(crate) use stock::{AdjustRefusal, Movement, StockLevel, crosses_downwards};
