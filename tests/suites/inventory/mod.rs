//! Suite: inventory. The context over a real store: its port, its timer, its
//! API. Each test ends with the audit of what it left behind.

mod catalogue;
mod expiring;
mod reserving;
mod shop;
mod taking_and_releasing;
