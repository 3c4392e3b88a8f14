//! Every suite over the whole, in one binary: one link instead of many.

mod architecture;
mod crash;
mod inventory;
mod journeys;
mod messaging;
mod notification;
mod order;
mod payment;
mod program;
mod replay;
mod resilience;
mod saga;
mod seam;
mod shipping;
mod store;
mod user;
mod web;
