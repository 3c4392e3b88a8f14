//! Suite: payment. Use cases over real stores, the simulated gateway's books
//! among them; what fails on the way is failed by a gateway that stands before it.

mod auditing;
mod charging;
mod crashing;
mod fixture;
mod http;
mod refunding;
