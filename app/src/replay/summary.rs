//! What a replay came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::{Placed, RefusedRow};
use crate::client::ClientError;

/// What a replay came to.
#[derive(Debug)]
pub struct Summary {
    /// Orders placed by this run.
    pub placed: u64,
    /// Orders that an earlier run had placed.
    pub before: u64,
    /// How many ended how: `paid`, `cancelled: payment_declined`.
    pub ends: BTreeMap<String, u64>,
    /// Orders that the server refused: number and reason.
    pub failed: Vec<(String, String)>,
    /// Rows that could not be used.
    pub refused: Vec<RefusedRow>,
    /// Orders that were not begun because the replay was stopped.
    pub left: usize,
    latencies: Vec<Duration>,
    begun: Option<Instant>,
    took: Duration,
}

impl Summary {
    pub(super) fn new(refused: Vec<RefusedRow>) -> Self {
        Self {
            placed: 0,
            before: 0,
            ends: BTreeMap::new(),
            failed: Vec::new(),
            refused,
            left: 0,
            latencies: Vec::new(),
            begun: None,
            took: Duration::ZERO,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a measurement, not logic")]
    pub(super) fn start(&mut self) {
        self.begun = Some(Instant::now());
    }

    pub(super) fn refuse(&mut self, line: u64, reason: String) {
        self.refused.push(RefusedRow { line, reason });
    }

    pub(super) fn count(&mut self, number: String, outcome: Result<Placed, ClientError>) {
        match outcome {
            Ok(placed) => {
                *self.ends.entry(placed.end).or_default() += 1;
                if placed.before {
                    self.before += 1;
                } else {
                    self.placed += 1;
                    self.latencies.push(placed.took);
                }
            }
            Err(error) => self.failed.push((number, error.to_string())),
        }
    }

    pub(super) fn end(&mut self, total: usize) {
        self.refused.sort_by_key(|row| row.line);
        self.latencies.sort_unstable();
        self.took = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        self.left = total - self.done();
    }

    /// Orders that have come to some end.
    pub fn done(&self) -> usize {
        usize::try_from(self.placed + self.before).unwrap_or(usize::MAX) + self.failed.len()
    }

    /// Whether every order was placed.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.left == 0
    }

    /// Orders a second, of those that this run placed.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 {
            self.placed as f64 / seconds
        } else {
            0.0
        }
    }

    /// The time within which this share of the orders (in percent) was settled.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.latencies.len() * percent)
            .div_ceil(100)
            .saturating_sub(1);
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

/// How many of a long list are shown.
const SHOWN: usize = 20;

fn list<T>(f: &mut fmt::Formatter<'_>, items: &[T], line: impl Fn(&T) -> String) -> fmt::Result {
    for item in items.iter().take(SHOWN) {
        writeln!(f, "    {}", line(item))?;
    }
    match items.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "    … and {more} more"),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "orders placed        {:>8}", self.placed)?;
        if self.before > 0 {
            writeln!(f, "placed by a run before {:>6}", self.before)?;
        }
        for (end, count) in &self.ends {
            writeln!(f, "  {end:<19}{count:>8}")?;
        }
        if self.left > 0 {
            writeln!(
                f,
                "not begun            {:>8}  (run the same command again to go on)",
                self.left
            )?;
        }
        writeln!(f, "orders refused       {:>8}", self.failed.len())?;
        list(f, &self.failed, |(number, reason)| {
            format!("order {number}: {reason}")
        })?;
        writeln!(f, "rows refused         {:>8}", self.refused.len())?;
        list(f, &self.refused, |row| {
            format!("line {}: {}", row.line, row.reason)
        })?;
        writeln!(
            f,
            "placed to settled    p50 {:.1} ms, p99 {:.1} ms",
            millis(self.percentile(50)),
            millis(self.percentile(99))
        )?;
        write!(
            f,
            "rate                 {:.0} orders/s over {:.1} s",
            self.rate(),
            self.took.as_secs_f64()
        )
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
