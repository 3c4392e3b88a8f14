//! Suite: whole journeys through the whole program, over HTTP.

mod fulfilment;
mod oversell;
