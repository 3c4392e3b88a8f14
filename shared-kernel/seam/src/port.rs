//! The declaration of a port. The macro says what differs between two ports;
//! everything else is in the ordinary functions that its expansion calls.

/// Declares a port: an async, dyn-compatible trait of commands and queries.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use utoipa::ToSchema;
/// /// Asks for so many.
/// #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
/// pub struct Reserve {
///     /// Idempotency key: every command carries one.
///     pub key: String,
/// }
///
/// /// They are held.
/// #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
/// pub struct Reserved {}
///
/// cleave_seam::port! {
///     /// Stock, as other contexts use it.
///     pub port InventoryPort for "inventory" {
///         /// Holds stock for an order.
///         command reserve(Reserve) -> Reserved;
///     }
/// }
/// ```
///
/// Besides the trait, it makes, in the module where it is invoked (each contract
/// gives its port a module `port`):
///
/// - `Guarded`: the port behind a [`Guard`](cleave_resilience::Guard);
/// - `Client`: the port at an [`Endpoint`](crate::Endpoint), over HTTP;
/// - `Wired`: the port through the wire codec, in memory, for tests;
/// - `PORT`: what it can do, for the [`document`](crate::document()) of the ports,
///   with the words that stand before it and its operations;
/// - `routes`: the port served under `/internal/v1/<context>/<operation>`.
///
/// An input must be `Clone`, `Serialize`, `Deserialize` and `ToSchema`, an output the
/// latter three.
#[macro_export]
macro_rules! port {
    (
        $(#[doc = $doc:literal])*
        $vis:vis port $name:ident for $context:literal {
            $( $(#[doc = $op_doc:literal])* $kind:ident $op:ident ( $input:ty ) -> $output:ty ; )*
        }
    ) => {
        $(#[doc = $doc])*
        #[$crate::support::async_trait]
        $vis trait $name: Send + Sync + 'static {
            $(
                $(#[doc = $op_doc])*
                async fn $op(
                    &self,
                    call: &$crate::support::CallContext,
                    input: $input,
                ) -> Result<$output, $crate::support::PortError>;
            )*
        }

        /// The port behind its guard: time limit, bulkhead, breaker, retry, metrics.
        #[derive(Clone)]
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
                    let operation = $crate::__operation!($context, $kind $op);
                    let inner = &self.inner;
                    let attempt = |call, input| async move { inner.$op(&call, input).await };
                    $crate::guarded(&self.guard, &operation, call, input, attempt).await
                }
            )*
        }

        /// The port in another process, over HTTP. It belongs behind a guard.
        #[derive(Clone)]
        $vis struct Client {
            endpoint: $crate::Endpoint,
        }

        impl Client {
            /// The port at `endpoint`.
            $vis fn new(endpoint: $crate::Endpoint) -> Self {
                Self { endpoint }
            }
        }

        #[$crate::support::async_trait]
        impl $name for Client {
            $(
                async fn $op(
                    &self,
                    call: &$crate::support::CallContext,
                    input: $input,
                ) -> Result<$output, $crate::support::PortError> {
                    let operation = $crate::__operation!($context, $kind $op);
                    self.endpoint.call(&operation, call, &input).await
                }
            )*
        }

        /// The port through the wire codec, in memory: input, answer and context
        /// are copied as they would be between processes.
        #[derive(Clone)]
        $vis struct Wired {
            inner: std::sync::Arc<dyn $name>,
            clock: std::sync::Arc<dyn $crate::support::Clock>,
        }

        impl Wired {
            /// `inner`, seen through the codec. Deadlines cross it as spans, and
            /// so need a clock.
            $vis fn new(
                inner: std::sync::Arc<dyn $name>,
                clock: std::sync::Arc<dyn $crate::support::Clock>,
            ) -> Self {
                Self { inner, clock }
            }
        }

        #[$crate::support::async_trait]
        impl $name for Wired {
            $(
                async fn $op(
                    &self,
                    call: &$crate::support::CallContext,
                    input: $input,
                ) -> Result<$output, $crate::support::PortError> {
                    let operation = $crate::__operation!($context, $kind $op);
                    let inner = &self.inner;
                    let attempt = |call, input| async move { inner.$op(&call, input).await };
                    $crate::wired(&*self.clock, &operation, call, input, attempt).await
                }
            )*
        }

        /// What the port can do, for its document.
        $vis const PORT: $crate::Port = $crate::Port {
            context: $context,
            words: &[$($doc),*],
            operations: &[$(
                $crate::Described::new::<$input, $output>(
                    $crate::__operation!($context, $kind $op),
                    &[$($op_doc),*],
                )
            ),*],
        };

        /// Serves the port to other processes; `clock` measures what remains of
        /// a call's time when it arrives.
        $vis fn routes(
            port: std::sync::Arc<dyn $name>,
            clock: std::sync::Arc<dyn $crate::support::Clock>,
        ) -> $crate::support::axum::Router {
            let routes = $crate::Routes::new($context, clock);
            $(
                let inner = std::sync::Arc::clone(&port);
                let act = move |call, input: $input| {
                    let inner = std::sync::Arc::clone(&inner);
                    async move { inner.$op(&call, input).await }
                };
                let routes = routes.operation($crate::__operation!($context, $kind $op), act);
            )*
            routes.into_router()
        }
    };
}

/// Names one operation of a port.
#[doc(hidden)]
#[macro_export]
macro_rules! __operation {
    ($context:literal, $kind:ident $op:ident) => {
        $crate::Operation::$kind(
            stringify!($op),
            concat!("/internal/v1/", $context, "/", stringify!($op)),
        )
    };
}
