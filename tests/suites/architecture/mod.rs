//! Suite: who may depend on whom. Packages are found by their place in the
//! tree, every kind of edge counts (normal, dev, build, optional, renamed), and
//! the checker itself is given edges that it must refuse.

mod rules;

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, MetadataCommand};
use rules::{Edge, Place, violations};

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata answers")
}

/// Where each package of the workspace stands, by its folder.
fn places(metadata: &Metadata) -> Vec<(String, Place)> {
    let root = &metadata.workspace_root;
    metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let folder = package
                .manifest_path
                .parent()
                .expect("a manifest has a folder");
            let folder = folder
                .strip_prefix(root)
                .expect("members are below the root")
                .as_str()
                .to_owned();
            let place = Place::of(&folder)
                .unwrap_or_else(|| panic!("{folder} is no place that the architecture knows"));
            (package.name.to_string(), place)
        })
        .collect()
}

fn edges(metadata: &Metadata) -> Vec<Edge> {
    let packages = metadata.workspace_packages();
    packages
        .iter()
        .flat_map(|package| {
            // `name` is the package's own, whatever it is renamed to where it is used.
            package.dependencies.iter().map(|dependency| Edge {
                from: package.name.to_string(),
                to: dependency.name.clone(),
                kind: format!(
                    "{:?}{}",
                    dependency.kind,
                    if dependency.optional {
                        ", optional"
                    } else {
                        ""
                    }
                ),
            })
        })
        .collect()
}

#[test]
fn every_dependency_is_one_that_the_architecture_allows() {
    let metadata = metadata();
    let found = violations(&places(&metadata), &edges(&metadata));
    assert!(
        found.is_empty(),
        "forbidden dependencies:\n{}",
        found.join("\n")
    );
}

#[test]
fn every_context_is_there_with_its_contract() {
    let places: BTreeSet<Place> = places(&metadata())
        .into_iter()
        .map(|(_, place)| place)
        .collect();
    for context in [
        "order",
        "payment",
        "inventory",
        "user",
        "notification",
        "shipping",
    ] {
        assert!(
            places.contains(&Place::Context(context.into())),
            "{context}"
        );
        assert!(
            places.contains(&Place::Contract(context.into())),
            "{context}/contract"
        );
    }
}

#[test]
fn the_top_level_is_what_the_architecture_names() {
    let root = metadata().workspace_root;
    let folders: BTreeSet<String> = std::fs::read_dir(&root)
        .expect("the root can be read")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target" && name != "data")
        .collect();
    let expected = [
        "app",
        "config",
        "contexts",
        "docs",
        "migrations",
        "shared-kernel",
        "tests",
    ];
    assert_eq!(folders, expected.map(String::from).into());
}

/// A small workspace as it should be, to which a forbidden edge is added.
fn sound() -> (Vec<(String, Place)>, Vec<Edge>) {
    let packages = [
        ("vocabulary", "shared-kernel/vocabulary"),
        ("store", "shared-kernel/store"),
        ("seam", "shared-kernel/seam"),
        ("web", "shared-kernel/web"),
        ("order", "contexts/order"),
        ("order-contract", "contexts/order/contract"),
        ("payment", "contexts/payment"),
        ("payment-contract", "contexts/payment/contract"),
        ("migrations", "migrations"),
        ("app", "app"),
        ("suites", "tests"),
    ];
    let edges = [
        ("store", "vocabulary"),
        ("store", "sea-orm"),
        ("web", "store"),
        ("order", "store"),
        ("order", "order-contract"),
        ("order", "payment-contract"),
        ("order-contract", "vocabulary"),
        ("order-contract", "seam"),
        ("migrations", "sea-orm-migration"),
        ("app", "order"),
        ("app", "payment"),
        ("app", "migrations"),
        ("suites", "app"),
        ("suites", "payment"),
    ];
    let places =
        packages.map(|(name, folder)| (name.to_owned(), Place::of(folder).expect("a known place")));
    (
        places.into(),
        edges.map(|(from, to)| edge(from, to, "Normal")).into(),
    )
}

fn edge(from: &str, to: &str, kind: &str) -> Edge {
    Edge {
        from: from.into(),
        to: to.into(),
        kind: kind.into(),
    }
}

#[test]
fn the_checker_lets_a_sound_workspace_pass() {
    let (places, edges) = sound();
    assert_eq!(violations(&places, &edges), Vec::<String>::new());
}

#[test]
fn the_checker_refuses_each_forbidden_edge() {
    for (from, to) in [
        ("order", "payment"),
        ("order", "migrations"),
        ("order", "app"),
        ("order", "suites"),
        ("order-contract", "payment-contract"),
        ("order-contract", "store"),
        ("order-contract", "order"),
        ("vocabulary", "store"),
        ("vocabulary", "axum"),
        ("vocabulary", "sea-orm"),
        ("store", "order-contract"),
        ("store", "migrations"),
        ("store", "order"),
        ("migrations", "order"),
        ("migrations", "store"),
        ("migrations", "serde"),
        ("app", "suites"),
    ] {
        for kind in ["Normal", "Development", "Build", "Normal, optional"] {
            let (places, mut edges) = sound();
            edges.push(edge(from, to, kind));
            let found = violations(&places, &edges);
            let line = format!("{from} → {to} ({kind})");
            assert!(found.contains(&line), "{line} passed: {found:?}");
        }
    }
}

#[test]
fn the_checker_refuses_a_circle_within_the_kernel() {
    let (places, mut edges) = sound();
    edges.push(edge("store", "web", "Development"));
    let found = violations(&places, &edges);
    assert!(
        found.iter().any(|line| line.contains("circle")),
        "{found:?}"
    );
}

#[test]
fn the_checker_knows_no_other_places() {
    for folder in [
        "contexts",
        "contexts/order/src",
        "contexts/order/contract/more",
        "lib/x",
        "shared-kernel",
        "tests/x",
    ] {
        assert_eq!(Place::of(folder), None, "{folder}");
    }
}
