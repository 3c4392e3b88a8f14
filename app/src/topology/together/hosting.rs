//! Who hosts what: each context somewhere, and over data that is its own.

use std::collections::BTreeMap;

use super::Process;
use crate::settings::BusKind;
use crate::topology::CONTEXTS;

/// Each context has a process, or several that can be replicas of each other.
pub(super) fn check(processes: &[Process<'_>], whole: bool, wrong: &mut Vec<String>) {
    for context in CONTEXTS {
        let hosts: Vec<_> = processes.iter().filter(|it| it.hosts(context)).collect();
        let names: Vec<&str> = hosts.iter().map(|it| it.name).collect();
        match names[..] {
            [] if whole => wrong.push(format!(
                "{context} runs nowhere: none of the processes hosts it; set topology.{context} to \"local\" in one of them, or name it in its topology.only"
            )),
            [] | [_] => {}
            _ => {
                let reason = apart(context, &hosts);
                let names = names.join(" and ");
                wrong.extend(reason.map(|it| format!("{context} runs in {names}: {it}")));
            }
        }
    }
}

/// Why these hosts of one context can't be replicas of each other, if they can't:
/// they share its database, and hear of its events, or are two shops.
fn apart(context: &str, hosts: &[&Process<'_>]) -> Option<String> {
    let schema = |it: &&Process<'_>| it.settings.database.schema(context);
    let first = hosts.first().and_then(schema);
    if hosts.iter().any(|it| schema(it).is_none()) {
        return Some(format!(
            "each would keep its data in a SQLite file of its own; host it in one of them and set topology.{context} to its base URL in the others, or put it on Postgres (database.{context}.url) in all of them"
        ));
    }
    if hosts.iter().any(|it| schema(it) != first) {
        return Some(format!(
            "they name different databases; set database.{context}.url to the same URL in all of them"
        ));
    }
    let own_bus = |it: &&Process<'_>| it.settings.bus.kind != BusKind::Nats;
    if hosts.iter().any(own_bus) {
        return Some("on one database they need one bus; set bus.kind to \"nats\", with bus.nats.url, in all of them".to_owned());
    }
    let sealed = context == "user" && hosts.iter().any(|it| it.settings.internal.key.is_none());
    sealed.then(|| "what one seals the others must open; set internal.key to the same secret in all of them (openssl rand -base64 32)".to_owned())
}

/// No two contexts of different processes keep their tables in one schema; within a
/// process its settings say so themselves.
pub(super) fn check_schemas(processes: &[Process<'_>], wrong: &mut Vec<String>) {
    let mut schemas: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for process in processes {
        for context in process.topology.hosted() {
            let Some(schema) = process.settings.database.schema(context) else {
                continue;
            };
            let here = (process.name, context);
            let (name, other) = *schemas.entry(schema.clone()).or_insert(here);
            if other != context && name != process.name {
                let this = process.name;
                wrong.push(format!(
                    "{schema} is that of {other} in {name} (database.{other}.url) and that of {context} in {this} (database.{context}.url); each context has a schema of its own: leave the parameter schema out of one of the URLs, or name another"
                ));
            }
        }
    }
}
