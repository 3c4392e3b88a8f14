//! Every suite over the whole, in one binary: one link instead of many.

mod architecture;
mod inventory;
mod messaging;
mod notification;
mod order;
mod payment;
mod resilience;
mod saga;
mod seam;
mod shipping;
mod store;
mod user;
mod web;
