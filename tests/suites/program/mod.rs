//! Suite: the program as a person meets it: help, bad settings, bad folders,
//! bad files, and an orderly stop. Each gets a message that says what to do.

mod broker;
mod deploy;
mod files;
mod folders;
mod script;
mod settings;
mod topologies;

use std::path::Path;

use cleave_tests::program::{Ended, run, run_unread};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Asserts the status, and that the message has each of these parts.
fn refused(ended: &Ended, status: i32, parts: &[&str]) {
    assert_eq!(
        ended.status.code(),
        Some(status),
        "{}{}",
        ended.out,
        ended.err
    );
    for part in parts {
        assert!(
            ended.err.contains(part),
            "`{part}` is not in:\n{}",
            ended.err
        );
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
}

#[test]
fn help_and_version_are_answers_and_an_unknown_word_is_not() {
    let here = folder();
    for words in [
        &["--help"][..],
        &["--version"],
        &["serve", "--help"],
        &["replay", "--help"],
        &["user", "create-admin", "--help"],
        &["topology", "check", "--help"],
        &["move", "--help"],
        &["health", "--help"],
    ] {
        let ended = run(here.path(), words, &[]);
        assert_eq!(ended.status.code(), Some(0), "{words:?}");
        assert!(!ended.out.is_empty());
    }
    for words in [
        &[][..],
        &["sell"],
        &["serve", "--fast"],
        &["replay"],
        &["user"],
    ] {
        assert_eq!(
            run(here.path(), words, &[]).status.code(),
            Some(2),
            "{words:?}"
        );
    }
    for command in ["serve", "replay", "audit", "rebuild", "openapi"] {
        let help = run(here.path(), &[command, "--help"], &[]).out;
        assert!(help.contains("Example"), "{command} --help has no example");
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let folder = folder();
    let ended = run_unread(folder.path(), &["openapi"]);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    assert_eq!(ended.err, "");
}

fn serve_at(data: &Path) -> Ended {
    run(
        Path::new("/"),
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            data.to_str().expect("UTF-8"),
        ],
        &[],
    )
}

#[test]
fn an_address_in_use_is_named() {
    let here = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = run(
        here.path(),
        &["serve", "--listen", &address, "--data-dir", "data"],
        &[],
    );
    refused(&ended, 1, &[&address, "--listen"]);
}

#[test]
fn admins_are_made_from_the_command_line() {
    let here = folder();
    let make = |password: &str, email: &str| {
        let environment = [("CLEAVE__ADMIN__PASSWORD", password)];
        run(
            here.path(),
            &[
                "user",
                "create-admin",
                "--email",
                email,
                "--data-dir",
                "data",
            ],
            &environment,
        )
    };
    refused(&make("short", "ann@shop.example"), 1, &["12"]);
    refused(&make("a long password", "not an address"), 1, &["email"]);
    let made = make("a long password", "ann@shop.example");
    assert_eq!(made.status.code(), Some(0), "{}", made.err);
    let again = make("another password", "ann@shop.example");
    assert_eq!(again.status.code(), Some(0));
    assert!(
        again.err.contains("already; nothing was changed"),
        "{}",
        again.err
    );
}
