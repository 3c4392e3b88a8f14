//! The rules themselves, over any list of packages and edges.

use std::collections::{BTreeMap, BTreeSet};

/// Where a package stands in the tree; its name does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Kernel(String),
    Contract(String),
    Context(String),
    Migrations,
    App,
    Tests,
}

impl Place {
    pub(super) fn of(folder: &str) -> Option<Self> {
        let parts: Vec<&str> = folder.split('/').collect();
        Some(match parts[..] {
            ["shared-kernel", name] => Self::Kernel(name.to_owned()),
            ["contexts", name] => Self::Context(name.to_owned()),
            ["contexts", name, "contract"] => Self::Contract(name.to_owned()),
            ["migrations"] => Self::Migrations,
            ["app"] => Self::App,
            ["tests"] => Self::Tests,
            _ => return None,
        })
    }

    fn may_use(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tests, _) => true,
            (_, Self::Tests | Self::App) | (Self::Migrations, _) => false,
            (Self::App, _) => true,
            (Self::Kernel(name), Self::Kernel(_)) => name != "vocabulary",
            (Self::Contract(_), Self::Kernel(name)) => name == "vocabulary" || name == "seam",
            (Self::Context(_), Self::Kernel(_) | Self::Contract(_)) => true,
            (Self::Kernel(_) | Self::Contract(_) | Self::Context(_), _) => false,
        }
    }

    /// What a package may use from outside the workspace.
    fn may_use_outside(&self, package: &str) -> bool {
        match self {
            Self::Kernel(name) if name == "vocabulary" => !["axum", "sea-orm"]
                .iter()
                .any(|banned| package == *banned || package.starts_with(&format!("{banned}-"))),
            // async-trait spells out the methods of its traits.
            Self::Migrations => package == "sea-orm-migration" || package == "async-trait",
            _ => true,
        }
    }
}

/// One line of a manifest.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) kind: String,
}

/// Every edge that is not allowed, and every circle within the kernel.
pub(super) fn violations(places: &[(String, Place)], edges: &[Edge]) -> Vec<String> {
    let places: BTreeMap<&str, &Place> = places
        .iter()
        .map(|(name, place)| (name.as_str(), place))
        .collect();
    let mut found: Vec<String> = edges
        .iter()
        .filter(|edge| {
            let from = places[edge.from.as_str()];
            match places.get(edge.to.as_str()) {
                Some(to) => !from.may_use(to),
                None => !from.may_use_outside(&edge.to),
            }
        })
        .map(|edge| format!("{} → {} ({})", edge.from, edge.to, edge.kind))
        .collect();
    found.extend(circle(&places, edges));
    found
}

/// Takes away packages that use no other kernel package, until none is left or a circle is.
fn circle(places: &BTreeMap<&str, &Place>, edges: &[Edge]) -> Option<String> {
    let kernel = |name: &str| matches!(places.get(name), Some(Place::Kernel(_)));
    let mut left: BTreeSet<&str> = places.keys().copied().filter(|name| kernel(name)).collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .copied()
            .filter(|name| {
                !edges
                    .iter()
                    .any(|edge| edge.from == *name && left.contains(edge.to.as_str()))
            })
            .collect();
        if free.is_empty() {
            return (!left.is_empty()).then(|| format!("a circle within the kernel: {left:?}"));
        }
        left.retain(|name| !free.contains(name));
    }
}
