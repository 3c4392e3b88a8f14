//! The harness of the suites.

pub mod api;
pub mod snapshots;
pub mod stores;
