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
