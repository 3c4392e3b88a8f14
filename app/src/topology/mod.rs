//! Which context runs where, read from the settings once and found to be
//! possible: everything that contradicts itself is said before anything starts.
//! This knows addresses, not whether anybody is there.

mod links;
#[cfg(test)]
mod tests;
mod together;

use std::fmt::Write as _;

use cleave_web::ServiceKeys;
use reqwest::Url;

use crate::settings::{BusKind, LOCAL, Settings};

pub use links::{GATEWAY, Links};
pub use together::check_together;
use together::overlap;

/// The contexts that there are, in the order of the fulfilment's dependencies.
pub const CONTEXTS: [&str; 6] = [
    "user",
    "inventory",
    "payment",
    "shipping",
    "notification",
    "order",
];

/// The first part of a context's public addresses: `/api/v1/payments`.
pub fn service_of(context: &str) -> &str {
    match context {
        "order" => "orders",
        "payment" => "payments",
        "user" => "users",
        "notification" => "notifications",
        "shipping" => "shipments",
        other => other,
    }
}

/// Where a context runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this process.
    Here,
    /// In this process, and in replicas of it: those at these base URLs, with commas
    /// between. Which of them is this one, if any is, nobody says.
    Among(String),
    /// In the process at this base URL, without a slash at its end; in replicas at
    /// several, with commas between.
    At(String),
}

/// Where each context runs, as this process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology(Vec<(&'static str, Place)>);

impl Topology {
    /// What the settings say, or everything that is wrong with it.
    pub fn of(settings: &Settings) -> Result<Self, Vec<String>> {
        let (topology, wrong) = Self::read(settings);
        if wrong.is_empty() {
            Ok(topology)
        } else {
            Err(wrong)
        }
    }

    /// As far as the settings tell, and what is wrong with them. A context whose
    /// place can't be told has none.
    fn read(settings: &Settings) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let only = only(settings, &mut wrong);
        let places = settings.topology.places();
        let placed = CONTEXTS.map(|context| {
            let set = places.iter().find(|(name, _)| *name == context);
            let set = set.map_or(LOCAL, |(_, place)| place);
            let place = place(context, set, only.as_deref(), &mut wrong);
            place.map(|place| (context, place))
        });
        let topology = Self(placed.into_iter().flatten().collect());
        topology.check_bus(settings, &mut wrong);
        topology.check_internal(settings, &mut wrong);
        (topology, wrong)
    }

    /// Whether this process hosts it.
    pub fn is_here(&self, context: &str) -> bool {
        self.hosted().any(|name| name == context)
    }

    /// The contexts of this process.
    pub fn hosted(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|(name, place)| match place {
            Place::Here | Place::Among(_) => Some(*name),
            Place::At(_) => None,
        })
    }

    /// Those of other processes, and where they are.
    pub fn elsewhere(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().filter_map(|(name, place)| match place {
            Place::Here | Place::Among(_) => None,
            Place::At(url) => Some((*name, url.as_str())),
        })
    }

    /// Those of this process that have replicas, and where all of these are.
    fn replicated(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().filter_map(|(name, place)| match place {
            Place::Among(urls) => Some((*name, urls.as_str())),
            Place::Here | Place::At(_) => None,
        })
    }

    /// Whether there are other processes.
    pub fn is_split(&self) -> bool {
        self.elsewhere().next().is_some()
    }

    /// The other processes: each base URL with the contexts there.
    pub fn processes(&self) -> Vec<(&str, Vec<&'static str>)> {
        by_url(self.elsewhere())
    }

    /// The replicas of what is here, by the same rule.
    pub fn replicas(&self) -> Vec<(&str, Vec<&'static str>)> {
        by_url(self.replicated())
    }

    /// Events must reach every process.
    fn check_bus(&self, settings: &Settings, wrong: &mut Vec<String>) {
        if let Some((context, _)) = self.elsewhere().next()
            && settings.bus.kind == BusKind::InProcess
        {
            wrong.push(format!(
                "bus.kind is in_process, which carries events within one process, and topology.{context} runs in another: bus.kind must be \"nats\" in every process, with bus.nats.url"
            ));
        }
    }

    /// What the processes need to call each other.
    fn check_internal(&self, settings: &Settings, wrong: &mut Vec<String>) {
        let internal = &settings.internal;
        match &internal.key {
            None if self.is_split() || internal.listen.is_some() => wrong.push(
                "internal.key is unset, and without it processes can't trust each other's calls; set it to the same secret of 32 characters or more in every process (openssl rand -base64 32)".to_owned(),
            ),
            Some(key) if ServiceKeys::new(key).is_err() => wrong.push(
                "internal.key is too short to be a secret; set it to 32 characters or more (openssl rand -base64 32)".to_owned(),
            ),
            _ => {}
        }
        let Some(listen) = internal.listen else {
            self.check_reached(settings, wrong);
            return;
        };
        if overlap(listen, settings.http.listen) {
            wrong.push("internal.listen and http.listen are the same address, or one holds the other; clients must not reach the first, so give it another port".to_owned());
        }
    }

    /// A context that is hosted here and has a URL is meant to be called there.
    fn check_reached(&self, settings: &Settings, wrong: &mut Vec<String>) {
        for (context, set) in settings.topology.places() {
            if self.is_here(context) && set != LOCAL {
                wrong.push(format!(
                    "topology.{context} says that other processes call it, it is hosted here, and internal.listen is unset; set internal.listen to the address of that URL"
                ));
            }
        }
    }

    /// One line for each process, for people.
    pub fn drawing(&self, settings: &Settings) -> String {
        let public = settings.http.listen;
        let mut text = format!("this process   public http://{public}");
        if let Some(internal) = settings.internal.listen {
            let _ = write!(text, ", internal http://{internal}");
        }
        let hosted: Vec<&str> = self.hosted().collect();
        let none = "no context: a gateway";
        let here = if hosted.is_empty() {
            none.to_owned()
        } else {
            hosted.join(", ")
        };
        let processes = self.processes();
        let _ = write!(
            text,
            "\n  {} {here}",
            if processes.is_empty() {
                "└─"
            } else {
                "├─"
            }
        );
        for (index, (url, contexts)) in processes.iter().enumerate() {
            let last = index + 1 == processes.len();
            let corner = if last { "└─" } else { "├─" };
            let _ = write!(text, "\n  {corner} {url} ── {}", contexts.join(", "));
        }
        text
    }
}

/// Contexts of the same URL together.
fn by_url<'a>(
    contexts: impl Iterator<Item = (&'static str, &'a str)>,
) -> Vec<(&'a str, Vec<&'static str>)> {
    let mut processes: Vec<(&str, Vec<&'static str>)> = Vec::new();
    for (name, url) in contexts {
        match processes.iter_mut().find(|(known, _)| *known == url) {
            Some((_, contexts)) => contexts.push(name),
            None => processes.push((url, vec![name])),
        }
    }
    processes
}

/// The contexts that `--only` names.
fn only(settings: &Settings, wrong: &mut Vec<String>) -> Option<Vec<String>> {
    let named = settings.topology.only.as_deref()?;
    let names: Vec<String> = named
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    for name in &names {
        if name != GATEWAY && !CONTEXTS.contains(&name.as_str()) {
            let known = CONTEXTS.join(", ");
            wrong.push(format!(
                "topology.only (--only): there is no context `{name}`; there are {known}, and `{GATEWAY}` for none of them"
            ));
        }
    }
    Some(names)
}

fn place(
    context: &str,
    set: &str,
    only: Option<&[String]>,
    wrong: &mut Vec<String>,
) -> Option<Place> {
    let named = only.is_some_and(|names| names.iter().any(|name| name == context));
    let url = match set {
        LOCAL => None,
        set => {
            let bases: Option<Vec<String>> = set.split(',').map(str::trim).map(base).collect();
            let base = bases.map(|bases| bases.join(","));
            if base.is_none() {
                wrong.push(format!(
                    "topology.{context} is neither \"local\" nor the base URL of a process, such as http://10.0.0.7:9080 (of several with commas between, where it has replicas)"
                ));
            }
            base
        }
    };
    match url {
        Some(urls) if named && urls.contains(',') => Some(Place::Among(urls)),
        _ if named => Some(Place::Here),
        Some(url) => Some(Place::At(url)),
        None if only.is_none() && set == LOCAL => Some(Place::Here),
        None => {
            if set == LOCAL {
                wrong.push(format!(
                    "{context} runs nowhere: topology.only (--only) leaves it out, and topology.{context} is \"local\"; name it there, or set topology.{context} to the base URL of the process that runs it"
                ));
            }
            None
        }
    }
}

/// A base URL: a scheme, a host, perhaps a port, and nothing behind them.
fn base(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    (usable && bare && nobody).then(|| text.trim_end_matches('/').to_owned())
}
