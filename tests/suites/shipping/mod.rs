//! Suite: shipping. Use cases over a real store; a carrier that can be held,
//! lost and sent away stands before the simulated one.

mod auditing;
mod cancelling;
mod fixture;
mod http;
mod rounds;
mod scheduling;
