//! What this context does when events arrive.

mod fulfilment;
mod read_model;

pub(crate) use fulfilment::FulfilmentEvents;
pub(crate) use read_model::ReadModel;
