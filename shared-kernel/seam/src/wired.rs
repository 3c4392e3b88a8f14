//! A local call through the wire codec: what works like this works remotely.

use cleave_vocabulary::{CallContext, Clock, PortError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Operation;
use crate::codec::{Answer, Request, decode_answer, decode_request};

/// Makes the call with a context, an input and an answer that were all bytes in between.
pub async fn wired<I, O, F>(
    clock: &dyn Clock,
    operation: &Operation,
    call: &CallContext,
    input: I,
    attempt: impl FnOnce(CallContext, I) -> F,
) -> Result<O, PortError>
where
    I: Serialize + DeserializeOwned,
    O: Serialize + DeserializeOwned,
    F: Future<Output = Result<O, PortError>>,
{
    let now = clock.now();
    let request = Request::encode(call, &input, now)?;
    let (call, input) = decode_request(&request.headers, &request.body, now)?;
    let answer = Answer::encode(&attempt(call, input).await);
    operation.settle(decode_answer(answer.status, &answer.body))
}
