//! Whose processor time an order takes: of the program's processes, of the servers
//! beside them, and of the clients, as the system counts it.

use std::collections::{BTreeMap, HashMap};
use std::fs;

/// Processor time used so far, in microseconds, by whoever used it: a process of the
/// program by the contexts that it hosts, others by their name.
pub(crate) type Used = BTreeMap<String, f64>;

/// A process, as the system tells of it.
struct Process {
    parent: u32,
    name: String,
    micros: f64,
}

/// What this process and all that it has started have used.
pub(crate) fn used() -> Used {
    let all = processes();
    let own = std::process::id();
    let mut used = Used::new();
    for (id, process) in &all {
        if *id == own {
            *used.entry("clients".to_owned()).or_default() += process.micros;
        } else if descends(&all, *id, own) {
            *used.entry(label(*id, process)).or_default() += process.micros;
        }
    }
    used
}

/// What the program's processes have used.
pub(crate) fn of_program() -> f64 {
    used().get("cleave").copied().unwrap_or_default()
}

/// What each has used since, an order, for people; who used next to nothing is left out.
pub(crate) fn since(before: &Used, orders: u64) -> String {
    let after = used();
    let each = after.iter().map(|(name, micros)| {
        let spent = micros - before.get(name).copied().unwrap_or_default();
        (name, spent / orders as f64)
    });
    let told: Vec<String> = each
        .filter(|(_, micros)| *micros >= 1.0)
        .map(|(name, micros)| format!("{name} {micros:.0}"))
        .collect();
    told.join(", ")
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Some((id, read(id)?))).collect()
}

fn read(id: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        name: head.split_once('(')?.1.to_owned(),
        // Linux counts hundredths for every program; a parent has its dead children's too.
        micros: (ticks(11)? + ticks(12)?) * 10_000.0,
    })
}

fn descends(all: &HashMap<u32, Process>, mut id: u32, from: u32) -> bool {
    while let Some(process) = all.get(&id) {
        if process.parent == from {
            return true;
        }
        id = process.parent;
    }
    false
}

fn label(id: u32, process: &Process) -> String {
    let words = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words: Vec<&str> = words.split('\0').collect();
    let only = words.iter().position(|word| *word == "--only");
    match only.and_then(|place| words.get(place + 1)) {
        Some(contexts) => (*contexts).to_owned(),
        None => process.name.clone(),
    }
}
