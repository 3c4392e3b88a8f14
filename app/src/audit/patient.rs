//! The other processes as an audit asks them: each question has its time, so that one
//! which hangs is missing from the report and does not keep the others out of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cleave_vocabulary::{CallContext, Clock, PortError};

use super::port::{
    AuditPort, Checks, FindMissing, Handlers, Missing, OfContext, OutboxBehind, OutboxPage,
};

/// How long an answer of bounded size may take.
const TO_TELL: Duration = Duration::from_secs(30);

/// The port of another process, with a deadline for each call.
pub struct Patient {
    /// That process.
    pub to: Arc<dyn AuditPort>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long a context may count: it looks at everything that it has.
    pub to_count: Duration,
}

impl Patient {
    fn within(&self, call: &CallContext, limit: Duration) -> CallContext {
        call.clone().until(self.clock.now().plus(limit))
    }
}

#[async_trait]
impl AuditPort for Patient {
    async fn audit_checks(&self, call: &CallContext, of: OfContext) -> Result<Checks, PortError> {
        let call = self.within(call, self.to_count);
        self.to.audit_checks(&call, of).await
    }

    async fn audit_handlers(
        &self,
        call: &CallContext,
        of: OfContext,
    ) -> Result<Handlers, PortError> {
        let call = self.within(call, TO_TELL);
        self.to.audit_handlers(&call, of).await
    }

    async fn audit_outbox(
        &self,
        call: &CallContext,
        behind: OutboxBehind,
    ) -> Result<OutboxPage, PortError> {
        let call = self.within(call, TO_TELL);
        self.to.audit_outbox(&call, behind).await
    }

    async fn audit_missing(
        &self,
        call: &CallContext,
        which: FindMissing,
    ) -> Result<Missing, PortError> {
        let call = self.within(call, TO_TELL);
        self.to.audit_missing(&call, which).await
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{Failure, FailureKind, ManualClock, SequentialIds, Timestamp};

    use super::*;

    /// Says of each question how long it would be waited for.
    struct Told(Timestamp);

    impl Told {
        fn no<T>(&self, call: &CallContext) -> Result<T, PortError> {
            let left = call.deadline.map(|at| at.since(self.0));
            Err(Failure::clean(FailureKind::Timeout, format!("{left:?}")).into())
        }
    }

    #[async_trait]
    impl AuditPort for Told {
        async fn audit_checks(
            &self,
            call: &CallContext,
            _: OfContext,
        ) -> Result<Checks, PortError> {
            self.no(call)
        }

        async fn audit_handlers(
            &self,
            call: &CallContext,
            _: OfContext,
        ) -> Result<Handlers, PortError> {
            self.no(call)
        }

        async fn audit_outbox(
            &self,
            call: &CallContext,
            _: OutboxBehind,
        ) -> Result<OutboxPage, PortError> {
            self.no(call)
        }

        async fn audit_missing(
            &self,
            call: &CallContext,
            _: FindMissing,
        ) -> Result<Missing, PortError> {
            self.no(call)
        }
    }

    #[tokio::test]
    async fn each_question_has_its_time() {
        let clock = Arc::new(ManualClock::default());
        let port = Patient {
            to: Arc::new(Told(clock.now())),
            clock: clock.clone(),
            to_count: Duration::from_mins(2),
        };
        let call = CallContext::root(&SequentialIds::default());
        let context = || "order".to_owned();
        let of = || OfContext { context: context() };
        let counted = port.audit_checks(&call, of()).await.expect_err("late");
        assert!(counted.to_string().contains("Some(120s)"), "{counted}");
        let behind = OutboxBehind {
            context: context(),
            after: 0,
        };
        let which = FindMissing {
            context: context(),
            handler: "h".to_owned(),
            events: Vec::new(),
        };
        let told = [
            port.audit_handlers(&call, of()).await.err(),
            port.audit_outbox(&call, behind).await.err(),
            port.audit_missing(&call, which).await.err(),
        ];
        for late in told {
            let late = late.expect("late").to_string();
            assert!(late.contains("Some(30s)"), "{late}");
        }
    }
}
