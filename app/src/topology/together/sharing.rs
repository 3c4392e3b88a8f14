//! What all processes of a deployment must be told alike.

use std::collections::BTreeSet;

use super::Process;
use crate::settings::BusKind;

/// One secret.
pub(super) fn check_keys(processes: &[Process<'_>], wrong: &mut Vec<String>) {
    let mut keys = processes.iter().map(|it| &it.settings.internal.key);
    let first = keys.next();
    if keys.any(|key| Some(key) != first) {
        wrong.push("internal.key is not the same in all processes; they would refuse each other's calls: set it to one secret in all of them".to_owned());
    }
}

/// One broker, and one word before all that is there.
pub(super) fn check_bus(processes: &[Process<'_>], wrong: &mut Vec<String>) {
    let on_nats = |it: &&Process<'_>| it.settings.bus.kind == BusKind::Nats;
    let mut processes = processes.iter().filter(on_nats);
    let Some(first) = processes.next() else {
        return;
    };
    for other in processes {
        let (one, two) = (servers(first), servers(other));
        let (name, another) = (first.name, other.name);
        if one.is_disjoint(&two) {
            let listed = |servers: BTreeSet<String>| Vec::from_iter(servers).join(",");
            let (one, two) = (listed(one), listed(two));
            wrong.push(format!(
                "bus.nats.url leads to {one} in {name} and to {two} in {another}, and events of the one would never reach the other; set it to the servers of one cluster in all processes"
            ));
        }
        let (one, two) = (
            &first.settings.bus.nats.prefix,
            &other.settings.bus.nats.prefix,
        );
        if one != two {
            wrong.push(format!(
                "bus.nats.prefix is {one} in {name} and {two} in {another}, and events of the one would never reach the other; set it to the same word in all processes"
            ));
        }
    }
}

/// The servers of the broker, without what opens their door.
fn servers(process: &Process<'_>) -> BTreeSet<String> {
    let set = process.settings.bus.nats.url.as_deref().unwrap_or_default();
    let server = |url: &str| {
        let host = url.split_once("://").map_or(url, |(_, rest)| rest);
        let host = host.rsplit('@').next().unwrap_or(host);
        let host = host.trim_end_matches('/').to_lowercase();
        let port = host.rsplit(':').next().unwrap_or_default();
        let has_port = port != host && port.parse::<u16>().is_ok();
        if has_port {
            host
        } else {
            format!("{host}:4222")
        }
    };
    set.split(',').map(str::trim).map(server).collect()
}
