//! The harness of the suites.

pub mod stores;
