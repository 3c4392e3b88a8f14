//! Suite: web. The conventions of the public API, over a router and over a real listener.

mod conventions;
mod door;
mod gateway;
mod idempotency;
mod listener;
mod ops;
