//! A port's operation behind its guard.

use cleave_resilience::{Guard, Idempotence};
use cleave_vocabulary::{CallContext, PortError};

use crate::Operation;

/// Calls `operation` under `guard`. Each operation is safe to repeat: a query
/// does nothing, and a command carries a key. The input moves into the last
/// attempt that the guard may make, and is cloned for those before it; with a
/// policy that does not retry, it is never cloned.
pub async fn guarded<I: Clone, O, F>(
    guard: &Guard,
    operation: &Operation,
    call: &CallContext,
    input: I,
    attempt: impl Fn(CallContext, I) -> F,
) -> Result<O, PortError>
where
    F: Future<Output = Result<O, PortError>>,
{
    let mut inputs = std::iter::repeat_n(input, guard.attempts() as usize);
    let attempt = |call| {
        let input = inputs.next();
        attempt(
            call,
            input.expect("a guard makes no more attempts than it says"),
        )
    };
    let result = guard
        .call(operation.name, Idempotence::Safe, call, attempt)
        .await;
    operation.settle(result)
}
