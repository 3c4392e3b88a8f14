//! Every suite over the whole, in one binary: one link instead of many.
#![allow(
    clippy::semicolon_if_nothing_returned,
    clippy::zero_sized_map_values,
    clippy::match_same_arms,
    clippy::format_push_string,
    reason = "matters of taste that a test may leave to its author"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test owns the tasks that it spawns, and they end with it"
)]

mod api;
mod architecture;
mod crash;
mod inventory;
mod journeys;
mod messaging;
mod moving;
mod notification;
mod order;
mod payment;
mod postgres;
mod program;
mod replay;
mod replicas;
mod resilience;
mod saga;
mod seam;
mod shipping;
mod split;
mod store;
mod user;
mod web;
