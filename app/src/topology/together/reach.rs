//! Whether who calls a context is heard by a process that hosts it.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use super::Process;
use crate::topology::CONTEXTS;

/// Every address leads to a host, and every host is among the addresses.
pub(super) fn check(processes: &[Process<'_>], whole: bool, wrong: &mut Vec<String>) {
    for context in CONTEXTS {
        let hosts: Vec<_> = processes.iter().filter(|it| it.hosts(context)).collect();
        for process in processes {
            let urls = process.urls(context);
            if urls.is_empty() || hosts.is_empty() {
                continue;
            }
            if whole {
                astray(process.name, context, &urls, &hosts, wrong);
            }
            unnamed(process.name, context, &urls, &hosts, wrong);
        }
    }
}

/// Addresses where nobody who hosts the context listens.
fn astray(
    name: &str,
    context: &str,
    urls: &[&str],
    hosts: &[&Process<'_>],
    wrong: &mut Vec<String>,
) {
    let heard = |url: &str| hosts.iter().any(|host| leads_to(url, host));
    for url in urls.iter().filter(|url| !heard(url)) {
        let listening = hosts.iter().map(|host| match host.internal() {
            Some(listen) => format!("{} has internal.listen {listen}", host.name),
            None => format!("{} has no internal.listen", host.name),
        });
        let listening = listening.collect::<Vec<_>>().join(", ");
        wrong.push(format!(
            "{name}: topology.{context} is {url}, and no process that hosts {context} is reached there ({listening}); set the one to the address of the other"
        ));
    }
}

/// Replicas that are asked nothing, because this process does not know of them.
fn unnamed(
    name: &str,
    context: &str,
    urls: &[&str],
    hosts: &[&Process<'_>],
    wrong: &mut Vec<String>,
) {
    if hosts.len() < 2 {
        return;
    }
    let named = |host: &&&Process<'_>| urls.iter().any(|url| leads_to(url, host));
    let missing: Vec<_> = hosts.iter().filter(|host| !named(host)).collect();
    for host in &missing {
        let other = host.name;
        wrong.push(match host.internal() {
            Some(listen) => format!(
                "{name}: topology.{context} does not name {other}, which hosts {context} too and has internal.listen {listen}; add its base URL there, behind a comma"
            ),
            None => format!(
                "{name}: topology.{context} can't name {other}, which hosts {context} too and has no internal.listen; set that, and add its base URL behind a comma"
            ),
        });
    }
    // Names and wildcards fit any host: then there are at least as many.
    if missing.is_empty() && urls.len() < hosts.len() {
        let names: Vec<&str> = hosts.iter().map(|host| host.name).collect();
        wrong.push(format!(
            "{name}: topology.{context} has fewer addresses than there are hosts of {context} ({}); give it the base URL of each, with commas between",
            names.join(", ")
        ));
    }
}

/// Whether a call to this URL may arrive at the process. A name may lead to any
/// machine, but to no other port.
pub(super) fn leads_to(url: &str, process: &Process<'_>) -> bool {
    let Some((listen, url)) = process.internal().zip(Url::parse(url).ok()) else {
        return false;
    };
    if url.port_or_known_default() != Some(listen.port()) {
        return false;
    }
    match address(&url) {
        Some(ip) => hears(listen, ip),
        None if is_localhost(&url) => listen.ip().is_loopback() || listen.ip().is_unspecified(),
        None => true,
    }
}

/// Whether a listener hears what is sent to this address of its machine.
pub(super) fn hears(listen: SocketAddr, ip: IpAddr) -> bool {
    let all = listen.ip().is_unspecified() && (listen.is_ipv6() || ip.is_ipv4());
    all || listen.ip() == ip
}

/// The address that a URL has instead of a name.
pub(super) fn address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_matches(['[', ']']).parse().ok()
}

/// The name of the machine where it is used.
pub(super) fn is_localhost(url: &Url) -> bool {
    url.host_str() == Some("localhost")
}
