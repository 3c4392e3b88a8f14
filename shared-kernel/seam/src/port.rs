//! The declaration of a port. The macro says what differs between two ports;
//! everything else is in the ordinary functions that its expansion calls.

/// Declares a port. Besides the trait `$name` it makes
/// - `Guarded`: `$name` behind a [`Guard`](cleave_resilience::Guard);
/// - `Client`: `$name` over HTTP;
/// - `Wired`: `$name` through the wire codec, in memory, for tests;
/// - `fn routes(port: Arc<dyn $name>) -> axum::Router`;
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
                    let operation = $crate::Operation::$kind(
                        stringify!($op),
                        concat!("/internal/v1/", $context, "/", stringify!($op)),
                    );
                    let inner = &self.inner;
                    $crate::guarded(&self.guard, &operation, call, input, |call, input| async move {
                        inner.$op(&call, input).await
                    })
                    .await
                }
            )*
        }
    };
}
