//! Orders, from placing to delivery or to the last undone step: the context
//! whole, over a real database, with the contexts that it calls played by a
//! script.

mod audit;
mod cancel;
mod dying;
mod events;
mod follow;
mod fulfilment;
mod list;
mod place;
mod rebuild;
mod shop;
mod timeline;
mod world;
