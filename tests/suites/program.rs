//! Suite: the program as a person meets it: help, bad settings, bad folders,
//! bad files, and an orderly stop. Each gets a message that says what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cleave_tests::program::{Ended, Program, run};
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
fn settings_that_are_wrong_are_named() {
    let here = folder();
    let file = here.path().join("shop.toml");
    let written = |text: &str| std::fs::write(&file, text).expect("written");
    let serve = |environment: &[(&str, &str)]| {
        run(
            here.path(),
            &["serve", "--config", "shop.toml"],
            environment,
        )
    };
    written("[http]\nlisten = \"127.0.0.1:0\"\n");
    refused(
        &serve(&[("CLEAVE__HTPP__LISTEN", "x")]),
        2,
        &[
            "unknown setting `htpp`",
            "CLEAVE__HTPP",
            "did you mean `http`",
        ],
    );
    refused(
        &serve(&[("CLEAVE__INVENTORY__RESERVATION_TTL", "soon")]),
        2,
        &[
            "inventory.reservation_ttl",
            "CLEAVE__INVENTORY__RESERVATION_TTL",
            "15m",
        ],
    );
    refused(
        &serve(&[("CLEAVE__ADMIN__EMAIL", "a@b.example")]),
        2,
        &["admin.email and admin.password go together"],
    );
    refused(
        &serve(&[("CLEAVE__LOG__FORMAT", "xml")]),
        2,
        &["log.format", "pretty", "json"],
    );
    refused(&serve(&[("CLEAVE__BUS__KIND", "nats")]), 2, &["bus.kind"]);
    refused(
        &serve(&[("CLEAVE__DATABASE__URL", "postgres://x")]),
        2,
        &["database.url"],
    );
    refused(
        &serve(&[("CLEAVE__HTTP__LISTEN", "everywhere")]),
        2,
        &["http.listen"],
    );
    written("[shipping.simulated]\npickup_after = \"2 days\"\n");
    refused(
        &serve(&[]),
        2,
        &["shipping.simulated.pickup_after", "shop.toml", "never"],
    );
    written("listen = 5");
    refused(&serve(&[]), 2, &["unknown setting `listen`", "shop.toml"]);
    written("[http");
    refused(&serve(&[]), 2, &["shop.toml", "line 1"]);
    refused(
        &run(here.path(), &["serve", "--config", "missing.toml"], &[]),
        2,
        &["missing.toml"],
    );
    refused(
        &run(here.path(), &["serve", "--only", "order,stock"], &[]),
        2,
        &["no context `stock`"],
    );
    assert!(!here.path().join("data").exists(), "nothing was begun");
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

#[test]
fn files_of_orders_that_cannot_be_used_are_named() {
    let here = folder();
    let file = here.path().join("orders.csv");
    let replay = || {
        run(
            here.path(),
            &["replay", "orders.csv", "--data-dir", "data"],
            &[],
        )
    };
    refused(&replay(), 1, &["orders.csv can't be read"]);
    std::fs::write(&file, "order_no,sku\n1,A\n").expect("written");
    refused(
        &replay(),
        1,
        &["lacks the columns placed_at, customer, country, quantity"],
    );
    assert!(
        !here.path().join("data").exists(),
        "nothing was begun for it"
    );
    let header = "order_no,placed_at,customer,country,sku,quantity\n";
    let mut rows = header.as_bytes().to_vec();
    rows.extend_from_slice(b"1,2010-12-01T08:26:00Z,1,United Kingdom,71053,6\n1,t,1,Nowhere,71053,6\n2,t,,France,no-such-sku,1\n3,t,,France,71053,\xff\n");
    std::fs::write(&file, rows).expect("written");
    let ended = replay();
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.out, ended.err);
    for part in [
        "orders placed               1",
        "line 3: country `Nowhere` is not known",
        "line 4: the catalogue has no product with the sku `no-such-sku`",
        "line 5: quantity is not UTF-8",
    ] {
        assert!(
            ended.out.contains(part),
            "`{part}` is not in:\n{}",
            ended.out
        );
    }
    let gone = run(
        here.path(),
        &[
            "replay",
            "orders.csv",
            "--url",
            "http://127.0.0.1:1",
            "--patience",
            "0",
        ],
        &[],
    );
    refused(&gone, 1, &["can't be reached", "is the server running"]);
}
