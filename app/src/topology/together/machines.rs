//! Which processes share a machine, as far as addresses tell, and whether two of
//! them want one port of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use reqwest::Url;

use super::Process;
use super::reach::{address, hears, is_localhost, leads_to};
use crate::topology::CONTEXTS;

/// Two processes of one machine listen at different addresses.
pub(super) fn check(processes: &[Process<'_>], wrong: &mut Vec<String>) {
    let machines = machines(processes);
    for (index, one) in processes.iter().enumerate() {
        for (further, other) in processes.iter().enumerate().skip(index + 1) {
            if machines[index] == machines[further] {
                collide(one, other, wrong);
            }
        }
    }
}

fn collide(one: &Process<'_>, other: &Process<'_>, wrong: &mut Vec<String>) {
    for (mine, at) in listeners(one) {
        for (theirs, taken) in listeners(other) {
            if overlap(at, taken) {
                let (one, other) = (one.name, other.name);
                wrong.push(format!(
                    "{one} and {other} are on one machine, and {mine} of the one ({at}) and {theirs} of the other ({taken}) take the same port; give one of them another"
                ));
            }
        }
    }
}

fn listeners(process: &Process<'_>) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let public = ("http.listen", process.settings.http.listen);
    let internal = process.internal().map(|at| ("internal.listen", at));
    std::iter::once(public).chain(internal)
}

/// Whether a machine can't give both of these. Port 0 is whichever is free.
pub(in crate::topology) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same = one.port() == other.port() && one.port() != 0;
    same && (hears(one, other.ip()) || hears(other, one.ip()))
}

/// A number for each process, the same where they are known to share a machine.
fn machines(processes: &[Process<'_>]) -> Vec<usize> {
    let mut machines: Vec<usize> = (0..processes.len()).collect();
    for (index, one) in processes.iter().enumerate() {
        for (further, other) in processes.iter().enumerate().skip(index + 1) {
            if share(one, other, processes) {
                let (kept, gone) = (machines[index], machines[further]);
                for machine in &mut machines {
                    if *machine == gone {
                        *machine = kept;
                    }
                }
            }
        }
    }
    machines
}

/// They go by one name or address, or one calls the other without leaving its machine.
fn share(one: &Process<'_>, other: &Process<'_>, all: &[Process<'_>]) -> bool {
    let near = |from: &Process<'_>, to: &Process<'_>| {
        let mut urls = calls(from, to, all).into_iter();
        urls.any(|url| is_near(&url))
    };
    near(one, other) || near(other, one) || !names(one, all).is_disjoint(&names(other, all))
}

/// What a process is called: addresses where it listens, and what others call it.
fn names(process: &Process<'_>, all: &[Process<'_>]) -> BTreeSet<String> {
    let own = listeners(process).map(|(_, at)| at.ip());
    let own = own.filter(|ip| !ip.is_unspecified() && !ip.is_loopback());
    let mut names: BTreeSet<String> = own.map(|ip| ip.to_string()).collect();
    let called = all.iter().flat_map(|from| calls(from, process, all));
    let called = called.filter(|url| !is_near(url));
    names.extend(called.filter_map(|url| {
        let host = url.host_str()?;
        Some(host.trim_matches(['[', ']']).to_owned())
    }));
    names
}

fn is_near(url: &Url) -> bool {
    is_localhost(url) || address(url).is_some_and(|ip| ip.is_loopback())
}

/// The URLs by which `from` reaches `to`, and nobody else who hosts what is called.
fn calls(from: &Process<'_>, to: &Process<'_>, all: &[Process<'_>]) -> Vec<Url> {
    let hosted = CONTEXTS.into_iter().filter(|context| to.hosts(context));
    let urls = hosted.flat_map(|context| {
        let alone = move |url: &&str| {
            let hosts = all.iter().filter(|it| it.hosts(context));
            hosts.filter(|it| leads_to(url, it)).count() == 1
        };
        let urls = from.urls(context).into_iter();
        urls.filter(|url| leads_to(url, to)).filter(alone)
    });
    urls.filter_map(|url| Url::parse(url).ok()).collect()
}
