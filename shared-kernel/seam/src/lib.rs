//! Seams: a port declared once, with [`port!`], gives the trait, the guarded
//! port, the HTTP client, the routes that serve it under
//! `/internal/v1/<context>/<operation>`, its part of the document of the ports, and
//! a codec port for tests in which a local call passes through the wire format.
//!
//! A refusal is 409 and `{"refused": {…}}`; a failure is 503, 504, 404 or 500
//! and `{"failed": {…}}`; the body decides. Commands are safe to repeat, because
//! they carry a key. A client shows the [`Credentials`] that it is given. What this
//! crate lacks: judging them, which belongs to the layers around the routes.

mod client;
mod codec;
mod described;
mod document;
mod guarded;
mod operation;
mod port;
mod replicas;
mod server;
mod wired;

pub use client::{Credentials, Endpoint, http_client};
pub use codec::DEADLINE;
pub use described::{Body, Described, Port};
pub use document::document;
pub use guarded::guarded;
pub use operation::Operation;
pub use replicas::{Replicas, SendError};
pub use server::Routes;
pub use wired::wired;

/// What the expansion of [`port!`] names, so that a contract needs no
/// dependency beyond this crate for it.
#[doc(hidden)]
pub mod support {
    pub use async_trait::async_trait;
    pub use axum;
    pub use cleave_resilience::Guard;
    pub use cleave_vocabulary::{CallContext, Clock, PortError};
}
