//! The order context: the centre of the product. It takes orders, drives their
//! fulfilment through stock, payment and shipping, undoes what was done when
//! one of them says no, and tells the whole story of each order.
//!
//! Read `application/place_order.rs` first, then `fulfilment/`, step by step.

mod domain;
mod persistence;
