//! The harness of the suites.

pub mod api;
pub mod program;
pub mod shop;
pub mod snapshots;
pub mod stores;
