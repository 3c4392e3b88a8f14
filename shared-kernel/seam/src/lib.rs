//! Seams: a port declared once, with [`port!`], gives the trait, the guarded
//! port, the HTTP client, the routes that serve it under
//! `/internal/v1/<context>/<operation>`, and a codec port for tests in which a
//! local call passes through the wire format.

mod guarded;
mod operation;
mod port;

pub use guarded::guarded;
pub use operation::Operation;

/// What the expansion of [`port!`] names, so that a contract needs no
/// dependency beyond this crate for it.
#[doc(hidden)]
pub mod support {
    pub use async_trait::async_trait;
    pub use axum;
    pub use cleave_resilience::{Guard, Idempotence};
    pub use cleave_vocabulary::{CallContext, Clock, PortError};
}
