//! The topologies that the project ships, each looked at as its reader would.

use std::path::{Path, PathBuf};
use std::process::Command;

use cleave_tests::program::{path, run};

use super::folder;

pub(super) fn topologies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/topologies")
}

/// The folders there.
pub(super) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(topologies()).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

/// `cleave topology check` over the files of a topology, but for those left out.
fn check(name: &str, without: &str) -> cleave_tests::program::Ended {
    let files = std::fs::read_dir(topologies().join(name)).expect("the folder is there");
    let mut words = vec!["topology".to_owned(), "check".to_owned()];
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    for file in files {
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        if stem == Some("shared") {
            words.push("--config".to_owned());
        }
        if stem != Some(without) {
            words.push(file.display().to_string());
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let secret = (
        "CLEAVE__INTERNAL__KEY",
        "a secret of more than 32 characters",
    );
    run(folder().path(), &words, &[secret])
}

#[test]
fn nothing_is_wrong_with_any_topology() {
    let names = names();
    for expected in [
        "apart",
        "monolith",
        "monolith-postgres",
        "payment-apart",
        "two-replicas",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected}: {names:?}"
        );
    }
    for name in names {
        let ended = check(&name, "");
        assert!(ended.status.success(), "{name}: {}", ended.err);
    }
}

#[test]
fn a_topology_without_one_of_its_processes_is_not_whole() {
    let ended = check("apart", "payment");
    assert!(!ended.status.success());
    assert!(ended.err.contains("payment runs nowhere"), "{}", ended.err);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let here = folder();
    let file = |name: &str, text: &str| {
        let path = here.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path.display().to_string()
    };
    let nats = "bus.kind = \"nats\"\ninternal.key = \"a secret of more than 32 characters\"\n";
    let front = format!(
        "{nats}bus.nats.url = \"nats://10.0.0.1\"\ntopology.payment = \"http://10.0.0.7:9081\"\n"
    );
    let payment = format!(
        "{nats}bus.nats.url = \"nats://10.0.0.2\"\ntopology.only = \"payment\"\nlog.filter = \"=\"\n"
    );
    let (front, payment) = (file("front.toml", &front), file("payment.toml", &payment));
    let ended = run(here.path(), &["topology", "check", &front, &payment], &[]);
    assert_eq!(ended.status.code(), Some(1));
    for part in [
        "payment.toml: user runs nowhere",
        "payment.toml: log.filter",
        "bus.nats.url leads to 10.0.0.1:4222",
        "payment.toml has no internal.listen",
    ] {
        assert!(ended.err.contains(part), "`{part}` is not in {}", ended.err);
    }
}

#[test]
fn the_script_that_runs_them_checks_each() {
    for name in names() {
        let ended = Command::new(topologies().join("run"))
            .args([&name, "--check"])
            .env("CLEAVE", path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{name}: {said}");
    }
    let unknown = Command::new(topologies().join("run"))
        .arg("nowhere")
        .output()
        .expect("it runs");
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(
        said.contains("there is no topology `nowhere`") && said.contains("apart"),
        "{said}"
    );
}

#[test]
fn health_is_asked_and_told() {
    let here = folder();
    let nobody = run(here.path(), &["health", "--url", "http://127.0.0.1:9"], &[]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(nobody.err.contains("does not answer"), "{}", nobody.err);
    let shop = cleave_tests::program::Program::serve(here.path(), &[], &[]);
    let url = shop.url();
    for (words, said) in [
        (&["health", "--url", &url][..], "ready"),
        (&["health", "--live", "--url", &url], "live"),
    ] {
        let ended = run(here.path(), words, &[]);
        assert!(ended.status.success(), "{}", ended.err);
        assert_eq!(ended.out.trim(), said);
    }
    let listens = [("CLEAVE__HTTP__LISTEN", shop.address.as_str())];
    assert!(run(here.path(), &["health"], &listens).status.success());
    shop.kill();
}
