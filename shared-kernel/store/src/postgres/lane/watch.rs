//! How a server is that the lanes ask: since when it is away, or takes no writes, and
//! when it is looked at because nobody else would notice that it is back.

use tokio::time::{Instant, sleep};

use super::{Lane, Line, RECONNECT};
use crate::postgres::target::Purpose;

impl Line {
    pub(super) fn reached(&self) {
        if self.away.take().is_some() {
            self.hub.report(None);
        }
    }

    pub(super) fn missed(&self, reason: &str) {
        if self.away.get().is_none() {
            self.away.set(Some(Instant::now()));
        }
        self.hub.report(Some(reason.to_owned()));
    }

    /// Notes a server that takes no writes: queries do not show that it does again,
    /// only a look does.
    pub(super) fn refused(&self) {
        if self.refused.get().is_none() {
            self.refused.set(Some(Instant::now()));
            self.hub.refused(Some(self.target.read_only().to_string()));
        }
    }

    async fn look_for_writes(&self) {
        let seen = self.target.look().await;
        if seen.is_ok() {
            self.refused.set(None);
        }
        self.hub.refused(seen.err().map(|error| error.to_string()));
    }
}

impl Lane {
    /// Looks at a server that nobody asks anything, so that the store's health
    /// says how it is and its return is noticed.
    pub(in crate::postgres) async fn watch(&self) -> ! {
        let mut seen = 0;
        loop {
            let failing = self.line.away.get().is_some();
            let refused = self.line.refused.get().is_some();
            let every = self.line.options.look_every;
            let soon = failing || refused;
            sleep(if soon { every.min(RECONNECT) } else { every }).await;
            self.line.hub.forget_unfit();
            if refused {
                self.line.look_for_writes().await;
            }
            let (hub, work) = (&self.line.hub, self.line.hub.write_stats().commits);
            let work = work + hub.read_stats().reads;
            if failing || work == seen {
                self.look().await;
            }
            seen = work;
        }
    }

    /// Whether jobs no longer wait for the server.
    pub(in crate::postgres) fn given_up(&self) -> bool {
        let line = &self.line;
        let refused = line
            .refused
            .get()
            .filter(|_| self.purpose == Purpose::Write);
        let gone = |since: Instant| since.elapsed() >= line.options.patience;
        line.away.get().or(refused).is_some_and(gone)
    }

    async fn look(&self) {
        let Ok(_turn) = self.turns.acquire().await else {
            return;
        };
        let idle = self.idle.borrow_mut().pop();
        if let Some(link) = idle {
            if self.say(&link, "SELECT 1").await.is_ok() {
                return self.give_back(link);
            }
            self.drop_idle();
        }
        // Connecting reports how it went.
        if let Ok(link) = self.connect().await {
            self.give_back(link);
        }
    }
}
