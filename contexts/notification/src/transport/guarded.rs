//! The transport behind its guard, which owns the quick retries on this hop;
//! the slow ones are the sender's.

use std::sync::Arc;

use cleave_resilience::{Guard, Idempotence};
use cleave_vocabulary::{CallContext, Failure, FailureKind, PortError};

use super::{Delivery, Mail, MailTransport};

/// A transport behind a guard.
pub(crate) struct GuardedTransport {
    transport: Arc<dyn MailTransport>,
    guard: Guard,
}

impl GuardedTransport {
    pub(crate) fn new(transport: Arc<dyn MailTransport>, guard: Guard) -> Self {
        Self { transport, guard }
    }

    /// One answer for each mail, in their order.
    pub(crate) async fn deliver(
        &self,
        call: &CallContext,
        mails: &[Mail],
    ) -> Result<Vec<Delivery>, PortError> {
        let transport = &self.transport;
        // Each mail has its key, so the batch may be repeated.
        self.guard
            .call("deliver", Idempotence::Safe, call, async |call| {
                let answers = transport.deliver(&call, mails).await?;
                if answers.len() == mails.len() {
                    return Ok(answers);
                }
                let (given, asked) = (answers.len(), mails.len());
                let what = format!("the transport gave {given} answers for {asked} mails");
                Err(Failure::unknown(FailureKind::Broken, what).into())
            })
            .await
    }
}
