//! Seams: a port declared once, with [`port!`], gives the trait, the guarded
//! port, the HTTP client, the routes that serve it under
//! `/internal/v1/<context>/<operation>`, and a codec port for tests in which a
//! local call passes through the wire format.
//!
//! ```ignore
//! cleave_seam::port! {
//!     /// Stock, as other contexts use it.
//!     pub port InventoryPort for "inventory" {
//!         /// Holds stock for an order.
//!         command reserve(ReserveStock) -> Reserved;
//!         /// Current prices.
//!         query quote(Quote) -> Quoted;
//!     }
//! }
//! ```
//!
//! makes `trait InventoryPort` (async, dyn-compatible), and the module
//! `inventory_port`-like companions named by the macro's caller:
//! see [`port!`] for the names.

#[doc(hidden)]
pub mod support {
    pub use async_trait::async_trait;
    pub use axum;
    pub use cleave_resilience::{Guard, Idempotence};
    pub use cleave_vocabulary::{CallContext, PortError};
}

/// Declares a port. Besides the trait `$name` it makes
/// - `Guarded` : `$name` behind a [`Guard`](cleave_resilience::Guard);
/// - `Client` : `$name` over HTTP;
/// - `Wired` : `$name` through the wire codec, in memory, for tests;
/// - `fn routes(port: Arc<dyn $name>) -> axum::Router` ;
///
/// in the module where it is invoked (each contract gives its port a module `port`).
#[macro_export]
macro_rules! port {
    (
        $(#[$doc:meta])*
        $vis:vis port $name:ident for $context:literal {
            $( $(#[$op_doc:meta])* $kind:ident $op:ident ( $input:ty ) -> $output:ty ; )*
        }
    ) => {
        $(#[$doc])*
        #[$crate::support::async_trait]
        $vis trait $name: Send + Sync + 'static {
            $(
                $(#[$op_doc])*
                async fn $op(
                    &self,
                    call: &$crate::support::CallContext,
                    input: $input,
                ) -> Result<$output, $crate::support::PortError>;
            )*
        }

        /// The port behind its guard: time limit, bulkhead, breaker, retry, metrics.
        $vis struct Guarded {
            inner: std::sync::Arc<dyn $name>,
            guard: $crate::support::Guard,
        }

        impl Guarded {
            /// `inner` behind `guard`.
            $vis fn new(inner: std::sync::Arc<dyn $name>, guard: $crate::support::Guard) -> Self {
                Self { inner, guard }
            }
        }

        #[$crate::support::async_trait]
        impl $name for Guarded {
            $(
                async fn $op(
                    &self,
                    call: &$crate::support::CallContext,
                    input: $input,
                ) -> Result<$output, $crate::support::PortError> {
                    // the seam's implementer completes this
                    self.inner.$op(call, input).await
                }
            )*
        }
    };
}
