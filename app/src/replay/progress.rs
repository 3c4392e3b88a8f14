//! How far a replay is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Summary;

/// Shows progress on standard error.
pub(super) struct Progress {
    bar: ProgressBar,
    plain: bool,
    total: u64,
    said: u64,
}

/// Off a terminal, a line each time so many percent more are done.
const STEP: u64 = 10;

impl Progress {
    pub(super) fn new(total: u64) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target = if plain {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = "{bar:40} {pos}/{len} orders, {per_sec}, {eta} left";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self {
            bar,
            plain,
            total,
            said: 0,
        }
    }

    pub(super) fn advance(&mut self, summary: &Summary) {
        self.bar.set_position(summary.done() as u64);
        let percent = summary.done() as u64 * 100 / self.total.max(1);
        if self.plain && percent >= self.said + STEP {
            self.said = percent - percent % STEP;
            let (rate, left) = (self.bar.per_sec(), self.bar.eta().as_secs());
            eprintln!(
                "{}/{} orders ({percent} %), {rate:.0} a second, {left} s left",
                summary.done(),
                self.total
            );
        }
    }

    pub(super) fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}
