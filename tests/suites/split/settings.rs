//! Topologies that cannot be are refused before anything starts, with the
//! setting and what to do.

use cleave_tests::program::run;

const KEY: (&str, &str) = (
    "CLEAVE__INTERNAL__KEY",
    "a secret of more than 32 characters",
);
const PAYMENT: (&str, &str) = ("CLEAVE__TOPOLOGY__PAYMENT", "http://127.0.0.1:9");

fn refused(words: &[&str], environment: &[(&str, &str)], parts: &[&str]) {
    let here = tempfile::tempdir().expect("a folder");
    let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
    all.extend_from_slice(words);
    let ended = run(here.path(), &all, environment);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.err);
    for part in parts {
        assert!(
            ended.err.contains(part),
            "`{part}` is not in:\n{}",
            ended.err
        );
    }
    assert!(!here.path().join("data").exists(), "nothing was begun");
}

#[test]
fn what_contradicts_itself_is_refused() {
    refused(
        &["--only", "payment"],
        &[KEY],
        &["order runs nowhere", "--only", "topology.order"],
    );
    refused(
        &[],
        &[KEY, ("CLEAVE__TOPOLOGY__PAYMENT", "over there")],
        &[
            "topology.payment",
            "http://10.0.0.7:9080",
            "CLEAVE__TOPOLOGY__PAYMENT",
        ],
    );
    refused(&[], &[PAYMENT], &["internal.key is unset", "32 characters"]);
    let short = ("CLEAVE__INTERNAL__KEY", "short and shown to nobody");
    refused(&[], &[PAYMENT, short], &["internal.key is too short"]);
    refused(
        &[],
        &[PAYMENT, KEY],
        &["bus.kind must be \"nats\"", "topology.payment"],
    );
    let listen = ("CLEAVE__INTERNAL__LISTEN", "127.0.0.1:0");
    refused(&[], &[listen], &["internal.key is unset"]);
}

#[test]
fn a_secret_is_not_shown_by_what_refuses_it() {
    let here = tempfile::tempdir().expect("a folder");
    let short = ("CLEAVE__INTERNAL__KEY", "short and shown to nobody");
    let ended = run(here.path(), &["serve"], &[short]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(!ended.err.contains("shown to nobody"), "{}", ended.err);
}

#[test]
fn a_topology_is_checked_and_drawn_before_anything_starts() {
    let here = tempfile::tempdir().expect("a folder");
    let written = |name: &str, text: &str| {
        std::fs::write(here.path().join(name), text).expect("written");
    };
    let shared = "[internal]\nkey = \"a secret of more than 32 characters\"\n";
    let topology = |payment: &str| format!("[topology]\npayment = \"{payment}\"\n");
    let topology_command = |words: &[&str]| {
        let mut all = vec!["topology"];
        all.extend_from_slice(words);
        run(here.path(), &all, &[])
    };

    let fine = topology_command(&["check"]);
    assert_eq!(fine.status.code(), Some(0), "{}", fine.err);

    written(
        "shop.toml",
        &format!("{}{shared}", topology("http://127.0.0.1:9080")),
    );
    let check = topology_command(&["check", "--config", "shop.toml"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(check.err.contains("bus.kind must be"), "{}", check.err);
    let bus = "[bus]\nkind = \"nats\"\nnats.url = \"nats://127.0.0.1:9\"\n";
    written("carried.toml", bus);
    let shown = topology_command(&["show", "--config", "shop.toml", "--config", "carried.toml"]);
    assert_eq!(shown.status.code(), Some(0), "{}", shown.err);
    assert!(
        shown.out.contains("http://127.0.0.1:9080 ── payment"),
        "{}",
        shown.out
    );

    written("bad.toml", &topology("nowhere"));
    let check = topology_command(&["check", "shop.toml", "bad.toml"]);
    assert_eq!(check.status.code(), Some(1));
    for part in [
        "bad.toml: topology.payment is neither",
        "shop.toml: bus.kind",
    ] {
        assert!(
            check.err.contains(part),
            "`{part}` is not in:\n{}",
            check.err
        );
    }
    let missing = topology_command(&["check", "missing.toml"]);
    assert_ne!(missing.status.code(), Some(0));
    assert!(missing.err.contains("missing.toml"), "{}", missing.err);
}
