//! Several processes held against each other: what none of them can see alone.
//! Whatever the files tell is judged, also where one of them is wrong by itself;
//! what names lead to is not known here.

mod hosting;
mod machines;
mod reach;
mod sharing;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use super::Topology;
use crate::settings::Settings;

pub(super) use machines::overlap;

/// A process of a deployment, as its settings tell of it.
struct Process<'p> {
    name: &'p str,
    topology: Topology,
    settings: &'p Settings,
}

impl Process<'_> {
    fn hosts(&self, context: &str) -> bool {
        self.topology.is_here(context)
    }

    /// Where the others call it.
    fn internal(&self) -> Option<SocketAddr> {
        self.settings.internal.listen
    }

    /// Where this one calls a context that it does not host.
    fn urls(&self, context: &str) -> Vec<&str> {
        let mut elsewhere = self.topology.elsewhere();
        let found = elsewhere.find(|(name, _)| *name == context);
        found.map_or_else(Vec::new, |(_, urls)| urls.split(',').collect())
    }
}

/// Everything that is wrong between these processes, each by its name. Where the
/// settings of one could not be read, `whole` is false, and nothing is said to be
/// missing that it may have.
pub fn check_together(processes: &[(String, Settings)], whole: bool) -> Vec<String> {
    let read = |(name, settings)| Process {
        name,
        topology: Topology::read(settings).0,
        settings,
    };
    let processes: Vec<Process<'_>> = processes
        .iter()
        .map(|(name, settings)| read((name.as_str(), settings)))
        .collect();
    let mut wrong = Vec::new();
    hosting::check(&processes, whole, &mut wrong);
    hosting::check_schemas(&processes, &mut wrong);
    reach::check(&processes, whole, &mut wrong);
    machines::check(&processes, &mut wrong);
    sharing::check_keys(&processes, &mut wrong);
    sharing::check_bus(&processes, &mut wrong);
    wrong
}
