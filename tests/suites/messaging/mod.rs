//! Events on their way: the bus, from outbox to effect, and what happens when
//! something fails between them.

mod bus;
mod dead_letters;
mod failures;
mod flow;
mod inbox;
mod nats;
mod numbering;
mod outbox;
mod relay;
mod world;
