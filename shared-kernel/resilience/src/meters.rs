//! What a guard counts: for its report, and for the metrics. Each operation's
//! metrics are registered with its first call and kept, so that a call costs an
//! increment and not a look-up by name and labels.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cleave_vocabulary::{FailureKind, PortError};
use metrics::{Counter, Histogram, counter, histogram};
use parking_lot::RwLock;

/// Totals since the start.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) calls: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) refusals: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// One more.
pub(crate) fn bump(total: &AtomicU64) {
    total.fetch_add(1, Ordering::Relaxed);
}

/// The metrics of each operation called so far: a handful, since operations are
/// named in the code.
#[derive(Default)]
pub(crate) struct Meters {
    operations: RwLock<Vec<Arc<Meter>>>,
}

impl Meters {
    /// The metrics of `operation`, registered where this is its first call.
    pub(crate) fn of(&self, name: &Arc<str>, operation: &'static str) -> Arc<Meter> {
        let find = |known: &[Arc<Meter>]| {
            known
                .iter()
                .find(|meter| meter.operation == operation)
                .cloned()
        };
        if let Some(meter) = find(&self.operations.read()) {
            return meter;
        }
        let mut operations = self.operations.write();
        find(&operations).unwrap_or_else(|| {
            let meter = Arc::new(Meter::register(name.clone(), operation));
            operations.push(meter.clone());
            meter
        })
    }
}

/// The metrics of one operation.
pub(crate) struct Meter {
    name: Arc<str>,
    operation: &'static str,
    outcomes: [OnceLock<Counter>; 8],
    retries: OnceLock<Counter>,
    duration: Histogram,
}

impl Meter {
    fn register(name: Arc<str>, operation: &'static str) -> Self {
        let duration = histogram!("cleave_port_call_duration_seconds", "name" => name.clone(), "operation" => operation);
        Self {
            name,
            operation,
            outcomes: Default::default(),
            retries: OnceLock::new(),
            duration,
        }
    }

    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// A call ended, after `took` in all.
    pub(crate) fn ended<T>(&self, result: &Result<T, PortError>, took: Duration) {
        let (slot, outcome) = outcome(result);
        self.outcomes[slot]
            .get_or_init(|| {
                counter!("cleave_port_calls_total", "name" => self.name.clone(), "operation" => self.operation, "outcome" => outcome)
            })
            .increment(1);
        self.duration.record(took);
    }

    /// A call is tried again.
    pub(crate) fn retried(&self) {
        self.retries
            .get_or_init(|| {
                counter!("cleave_port_retries_total", "name" => self.name.clone(), "operation" => self.operation)
            })
            .increment(1);
    }
}

fn outcome<T>(result: &Result<T, PortError>) -> (usize, &'static str) {
    match result {
        Ok(_) => (0, "ok"),
        Err(PortError::Refused(_)) => (1, "refused"),
        Err(PortError::Failed(failure)) => {
            let slot = match failure.kind {
                FailureKind::Unavailable => 2,
                FailureKind::Timeout => 3,
                FailureKind::Overloaded => 4,
                FailureKind::BreakerOpen => 5,
                FailureKind::Unsupported => 6,
                FailureKind::Broken => 7,
            };
            (slot, failure.kind.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::Refusal;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn each_outcome_of_each_operation_is_counted() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let meters = Meters::default();
            let name: Arc<str> = "order.payment".into();
            let took = Duration::from_millis(250);
            let refused = Refusal::new("no", "No.");
            meters.of(&name, "charge").ended(&Ok(1), took);
            meters.of(&name, "charge").ended(&Ok(2), took);
            meters
                .of(&name, "charge")
                .ended::<()>(&Err(refused.into()), took);
            meters.of(&name, "refund").retried();
        });
        let text = recorder.handle().render();
        for line in [
            r#"cleave_port_calls_total{name="order.payment",operation="charge",outcome="ok"} 2"#,
            r#"cleave_port_calls_total{name="order.payment",operation="charge",outcome="refused"} 1"#,
            r#"cleave_port_retries_total{name="order.payment",operation="refund"} 1"#,
            r#"cleave_port_call_duration_seconds_count{name="order.payment",operation="charge"} 3"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
