//! What carries the gateway: the listener, and the addresses that a platform
//! asks for (health, metrics). Nothing here knows a use case.

pub(crate) mod health;
pub(crate) mod metrics;
mod server;
mod settings;

pub use health::{Condition, Elsewhere, Far, Health, Readiness, health};
pub use metrics::{Metrics, metrics};
pub use server::serve;
pub use settings::HttpSettings;
