//! Several processes held against each other: what none of them can see alone.

use reqwest::Url;

use super::{CONTEXTS, Topology};
use crate::settings::Settings;

/// Everything that is wrong between these processes, each by its name.
pub fn check_together<'p>(processes: &'p [(String, Settings)]) -> Vec<String> {
    let read = |(name, settings): &'p (String, Settings)| {
        let topology = Topology::of(settings).ok()?;
        Some((name.clone(), topology, settings.internal.listen, settings))
    };
    let placed: Vec<_> = processes.iter().filter_map(read).collect();
    let mut wrong = Vec::new();
    for context in CONTEXTS {
        let hosts: Vec<_> = placed.iter().filter(|it| it.1.is_here(context)).collect();
        let names: Vec<&str> = hosts.iter().map(|it| it.0.as_str()).collect();
        match names[..] {
            [] => wrong.push(format!(
                "{context} runs nowhere: none of the processes hosts it; set topology.{context} to \"local\" in one of them, or name it in its topology.only"
            )),
            [_] => {}
            // Replicas: one Postgres database under all of them.
            _ if hosts.iter().all(|it| it.3.database.place(context).is_some()) => {}
            _ => wrong.push(format!(
                "{context} runs in {}: each would keep its data in a SQLite file of its own; host it in one of them and set topology.{context} to its base URL in the others, or put it on Postgres (database.{context}.url) in all of them",
                names.join(" and ")
            )),
        }
        let ports: Vec<u16> = hosts.iter().filter_map(|it| Some(it.2?.port())).collect();
        for (name, topology, ..) in &placed {
            let url = topology.elsewhere().find(|(other, _)| *other == context);
            let Some((_, url)) = url else { continue };
            let port = Url::parse(url)
                .ok()
                .and_then(|url| url.port_or_known_default());
            if !hosts.is_empty() && !port.is_some_and(|port| ports.contains(&port)) {
                wrong.push(format!(
                    "{name}: topology.{context} is {url}, and no process that hosts {context} has that port as its internal.listen"
                ));
            }
        }
    }
    let mut keys = processes.iter().map(|(_, settings)| &settings.internal.key);
    let first = keys.next();
    if keys.any(|key| Some(key) != first) {
        wrong.push(
            "internal.key is not the same in all processes; they would refuse each other's calls"
                .to_owned(),
        );
    }
    wrong
}
