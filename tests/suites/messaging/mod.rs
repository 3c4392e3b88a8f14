//! Events on their way: the bus, from outbox to effect, and what happens when
//! something fails between them.

mod bus;
