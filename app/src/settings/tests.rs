//! `config/default.toml` is documentation that a program can read, so it is
//! held to what it documents: every setting, and the value that it has.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::{Layers, Settings};

/// Differs from machine to machine, so the file shows it and does not set it.
const OF_THE_MACHINE: &str = "user.hashing.concurrency";

const FILE: &str = include_str!("../../../config/default.toml");

fn defaults() -> Value {
    serde_json::to_value(Settings::default()).expect("settings are JSON")
}

/// The dotted keys of a value's leaves; those that are unset apart.
fn leaves(at: &str, value: &Value, set: &mut BTreeSet<String>, unset: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let dot = if at.is_empty() { "" } else { "." };
                leaves(&format!("{at}{dot}{name}"), member, set, unset);
            }
        }
        Value::Null => drop(unset.insert(at.to_owned())),
        _ => drop(set.insert(at.to_owned())),
    }
}

/// The keys that the file only shows: lines of the form `#key = …`.
fn shown() -> BTreeSet<String> {
    let mut section = String::new();
    let mut shown = BTreeSet::new();
    for line in FILE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = format!("{name}.");
        }
        let key = line.strip_prefix('#').and_then(|it| it.split_once(" = "));
        if let Some((key, _)) = key.filter(|(key, _)| !key.starts_with(' ')) {
            shown.insert(format!("{section}{key}"));
        }
    }
    shown
}

#[test]
fn the_file_of_defaults_changes_nothing() {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../config/default.toml"
    ));
    let layers = Layers {
        files: vec![path],
        ..Layers::default()
    };
    let loaded = Settings::load(&layers).expect("the file is right");
    let loaded = serde_json::to_value(loaded).expect("settings are JSON");
    assert_eq!(loaded, defaults());
}

#[test]
fn the_file_of_defaults_names_every_setting() {
    let (mut set, mut unset) = (BTreeSet::new(), BTreeSet::new());
    leaves("", &defaults(), &mut set, &mut unset);
    set.remove(OF_THE_MACHINE);
    unset.insert(OF_THE_MACHINE.to_owned());

    let file: toml::Table = FILE.parse().expect("TOML");
    let file = serde_json::to_value(file).expect("TOML is JSON");
    let mut named = BTreeSet::new();
    leaves("", &file, &mut named, &mut BTreeSet::new());
    assert_eq!(named, set);
    assert_eq!(shown(), unset);
}

#[test]
fn what_is_set_of_a_guard_leaves_the_rest_of_it_as_it_is_there() {
    let variable = "CLEAVE__NOTIFICATION__TRANSPORT__RETRY__BACKOFF";
    let layers = Layers {
        environment: vec![(variable.to_owned(), "300ms".to_owned())],
        ..Layers::default()
    };
    let loaded = Settings::load(&layers).expect("the setting is right");
    let mut expected = defaults();
    expected["notification"]["transport"]["retry"]["backoff"] = "300ms".into();
    let loaded = serde_json::to_value(loaded).expect("settings are JSON");
    assert_eq!(loaded, expected);
}
