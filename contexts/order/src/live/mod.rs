//! What this process knows of work in flight, and forgets when it ends: who
//! waits for news of an order, and which events the read model has yet to see.
//! Nothing depends on it but how soon someone hears; whoever waits also looks
//! for themselves, because another process may have made the news.

mod freshness;
mod wakeups;

pub(crate) use freshness::Freshness;
pub(crate) use wakeups::{Attention, Wakeups};
