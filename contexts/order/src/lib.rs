//! The order context: the centre of the product. It takes orders, drives their
//! fulfilment through stock, payment and shipping, undoes what was done when
//! one of them says no, and tells the whole story of each order.
//!
//! To read it from top to bottom, begin with `application/place_order.rs` and
//! go on to `fulfilment/`, step by step.

mod application;
mod context;
mod domain;
mod fulfilment;
mod http;
mod live;
mod messaging;
mod operations;
mod persistence;
mod settings;

pub use application::Rebuild;
pub use context::{BuildError, Deps, INTERESTS, OrderContext, build};
pub use settings::{FollowSettings, OrderSettings, StepSettings};
