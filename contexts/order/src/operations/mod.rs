//! What operators see of this context: its sagas, and how its invariants stand.

mod audit;
mod sagas;

pub(crate) use audit::OrderAuditor;
pub(crate) use sagas::Sagas;
