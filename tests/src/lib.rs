//! The harness of the suites.
#![allow(clippy::format_push_string, reason = "short texts, once in a test")]

pub mod api;
pub mod audits;
pub mod broker;
pub mod clocks;
pub mod deployment;
pub mod follow;
pub mod link;
pub mod postgres;
pub mod program;
pub mod schema;
pub mod shop;
pub mod snapshots;
pub mod staging;
pub mod stores;
pub mod story;
