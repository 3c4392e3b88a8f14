//! Data folders that cannot be used: no folder, no database, another process's,
//! a newer program's.

use std::os::unix::fs::PermissionsExt;

use cleave_tests::program::{Program, run};

use super::{folder, refused, serve_at};

#[test]
fn folders_that_cannot_be_used_are_named() {
    let here = folder();
    let file = here.path().join("a-file");
    std::fs::write(&file, "x").expect("written");
    refused(&serve_at(&file.join("data")), 1, &["a-file", "data_dir"]);

    let damaged = here.path().join("damaged");
    std::fs::create_dir(&damaged).expect("made");
    std::fs::write(damaged.join("order.db"), "no database ".repeat(1000)).expect("written");
    refused(
        &serve_at(&damaged),
        1,
        &["order.db", "damaged or not a database", "backup"],
    );

    // Root may write anywhere, whatever the permissions say.
    let closed = here.path().join("closed");
    std::fs::create_dir(&closed).expect("made");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).expect("set");
    if std::fs::write(closed.join("probe"), "x").is_err() {
        refused(&serve_at(&closed), 1, &["closed", "data_dir"]);
    }
}

#[test]
fn a_second_process_on_a_folder_is_refused_and_the_first_goes_on() {
    let here = folder();
    let first = Program::serve(here.path(), &[], &[]);
    refused(
        &serve_at(here.path()),
        1,
        &["in use by another process", "--data-dir"],
    );
    for command in ["audit", "rebuild"] {
        let ended = run(here.path(), &[command, "--data-dir", "."], &[]);
        refused(&ended, 1, &["in use by another process"]);
    }
    let (status, log) = first.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let again = Program::serve(here.path(), &[], &[]);
    assert_eq!(again.stop().0.code(), Some(0));
}

#[test]
fn a_database_that_is_newer_than_the_program_is_refused() {
    let here = folder();
    assert_eq!(
        Program::serve(here.path(), &[], &[]).stop().0.code(),
        Some(0)
    );
    let database = rusqlite::Connection::open(here.path().join("payment.db")).expect("opens");
    let later =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)";
    database.execute(later, []).expect("written");
    drop(database);
    refused(
        &serve_at(here.path()),
        1,
        &[
            "payment",
            "newer version of this program",
            "m29990101_000001_later",
        ],
    );
}

#[test]
fn a_folder_that_never_had_data_is_not_audited() {
    let here = folder();
    for command in ["audit", "rebuild"] {
        let ended = run(here.path(), &[command, "--data-dir", "mistyped"], &[]);
        refused(&ended, 1, &["mistyped", "holds no data", "--data-dir"]);
    }
    assert!(!here.path().join("mistyped").exists(), "nothing was made");
}

#[test]
fn what_is_damaged_behind_its_first_page_or_beside_the_databases_is_named() {
    let here = folder();
    assert_eq!(
        Program::serve(here.path(), &[], &[]).stop().0.code(),
        Some(0)
    );
    let key = here.path().join("sealing.key");
    let sound = std::fs::read(&key).expect("a key");
    std::fs::write(&key, "short").expect("written");
    refused(&serve_at(here.path()), 1, &["sealing.key", "32 bytes"]);
    std::fs::write(&key, sound).expect("written");

    let file = here.path().join("order.db");
    let mut bytes = std::fs::read(&file).expect("a database");
    let end = bytes.len();
    bytes[4096..end].fill(0x5a);
    std::fs::write(&file, bytes).expect("written");
    refused(
        &serve_at(here.path()),
        1,
        &["order.db", "damaged or not a database", "backup"],
    );
}
