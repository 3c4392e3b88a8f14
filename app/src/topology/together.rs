//! Several processes held against each other: what none of them can see alone.

use std::net::SocketAddr;

use reqwest::Url;

use super::{CONTEXTS, Topology};
use crate::settings::{BusKind, Settings};

/// A process: its name, where it places contexts, where it listens, its settings.
type Placed<'p> = (String, Topology, Option<SocketAddr>, &'p Settings);

/// Everything that is wrong between these processes, each by its name.
pub fn check_together<'p>(processes: &'p [(String, Settings)]) -> Vec<String> {
    let read = |(name, settings): &'p (String, Settings)| {
        let topology = Topology::of(settings).ok()?;
        Some((name.clone(), topology, settings.internal.listen, settings))
    };
    let placed: Vec<Placed<'_>> = processes.iter().filter_map(read).collect();
    let mut wrong = Vec::new();
    for context in CONTEXTS {
        let hosts: Vec<_> = placed.iter().filter(|it| it.1.is_here(context)).collect();
        let names: Vec<&str> = hosts.iter().map(|it| it.0.as_str()).collect();
        match names[..] {
            [] => wrong.push(format!(
                "{context} runs nowhere: none of the processes hosts it; set topology.{context} to \"local\" in one of them, or name it in its topology.only"
            )),
            [_] => {}
            _ => match apart(context, &hosts) {
                None => {}
                Some(reason) => wrong.push(format!("{context} runs in {}: {reason}", names.join(" and "))),
            },
        }
        let ports: Vec<u16> = hosts.iter().filter_map(|it| Some(it.2?.port())).collect();
        for (name, topology, ..) in &placed {
            let url = topology.elsewhere().find(|(other, _)| *other == context);
            let Some((_, urls)) = url else { continue };
            let port = |url: &str| Url::parse(url).ok()?.port_or_known_default();
            for url in urls.split(',') {
                if !hosts.is_empty() && !port(url).is_some_and(|port| ports.contains(&port)) {
                    wrong.push(format!(
                        "{name}: topology.{context} is {url}, and no process that hosts {context} has that port as its internal.listen"
                    ));
                }
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

/// Why these hosts of one context can't be replicas of each other, if they can't:
/// they share its database, and hear of its events, or are two shops.
fn apart(context: &str, hosts: &[&Placed<'_>]) -> Option<String> {
    let place = |it: &&Placed<'_>| it.3.database.place(context).map(|place| place.url);
    let first = hosts.first().and_then(place);
    if hosts.iter().any(|it| place(it).is_none()) {
        return Some(format!(
            "each would keep its data in a SQLite file of its own; host it in one of them and set topology.{context} to its base URL in the others, or put it on Postgres (database.{context}.url) in all of them"
        ));
    }
    if hosts.iter().any(|it| place(it) != first) {
        return Some(format!(
            "they name different databases; set database.{context}.url to the same URL in all of them"
        ));
    }
    let own_bus = |it: &&Placed<'_>| it.3.bus.kind != BusKind::Nats;
    if hosts.iter().any(own_bus) {
        return Some("on one database they need one bus; set bus.kind to \"nats\", with bus.nats.url, in all of them".to_owned());
    }
    let sealed = context == "user" && hosts.iter().any(|it| it.3.internal.key.is_none());
    sealed.then(|| "what one seals the others must open; set internal.key to the same secret in all of them (openssl rand -base64 32)".to_owned())
}
