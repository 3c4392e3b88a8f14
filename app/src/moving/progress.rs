//! How far a move is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;

use cleave_store::MoveProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Off a terminal, a line each time so many percent more are done.
const STEP: u64 = 10;

/// Shows progress on standard error.
pub struct Progress {
    context: String,
    bar: ProgressBar,
    plain: bool,
    said: u64,
}

impl Progress {
    /// Of a context's move.
    pub fn new(context: &str) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target = if plain {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "{bar:40} {msg} {percent} %, {eta} left";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self {
            context: context.to_owned(),
            bar,
            plain,
            said: 0,
        }
    }

    /// Each row is read three times: to copy it, and on both sides to compare.
    pub fn advance(&mut self, at: MoveProgress) {
        let (done, all) = (at.copied + at.compared, at.rows * 3);
        let copying = at.compared == 0;
        self.bar.set_length(all);
        self.bar.set_position(done);
        self.bar
            .set_message(if copying { "copying" } else { "comparing" });
        let percent = done * 100 / all.max(1);
        if self.plain && percent >= self.said + STEP {
            self.said = percent - percent % STEP;
            let context = &self.context;
            if copying {
                eprintln!(
                    "{context}: {percent} %, {} of {} rows copied",
                    at.copied, at.rows
                );
            } else {
                eprintln!("{context}: {percent} %, comparing");
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}
