//! Settings that cannot be: unknown, unreadable, out of range, at odds.

use super::{folder, refused};
use cleave_tests::program::run;

#[test]
fn settings_that_cannot_be_read_are_named() {
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
    refused(
        &serve(&[("CLEAVE__BUS__KIND", "nats")]),
        2,
        &["bus.nats.url"],
    );
    refused(
        &serve(&[("CLEAVE__DATABASE__URL", "mysql://shop:secret@x/shop")]),
        2,
        &["database.url", "postgres://user:password@host"],
    );
    refused(
        &serve(&[(
            "CLEAVE__DATABASE__PAYMENT__URL",
            "postgres://x/shop?ssmode=require",
        )]),
        2,
        &["database.payment.url", "ssmode"],
    );
    refused(
        &serve(&[("CLEAVE__HTTP__LISTEN", "everywhere")]),
        2,
        &["http.listen", "127.0.0.1:8080"],
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

#[test]
fn settings_that_are_out_of_range_are_named_with_their_origin() {
    let here = folder();
    let serve = |variable: &str, value: &str| {
        let listen = ["serve", "--listen", "127.0.0.1:0"];
        run(here.path(), &listen, &[(variable, value)])
    };
    for (name, key, allowed) in [
        ("ORDER__SAGA__POLL", "order.saga.poll must", "longer than"),
        ("HTTP__TIME_LIMIT", "http.time_limit must", "longer than"),
    ] {
        let variable = format!("CLEAVE__{name}");
        let ended = serve(&variable, "0ms");
        refused(&ended, 2, &[key, allowed, &variable]);
    }
    // More than a queue can have.
    for (name, key) in [
        ("BUS__IN_PROCESS__QUEUE", "bus.in_process.queue must"),
        ("BUS__RELAY__IN_FLIGHT", "bus.relay.in_flight must"),
        (
            "DATABASE__SQLITE__WRITE_QUEUE",
            "database.sqlite.write_queue must",
        ),
        ("HTTP__CONNECTIONS", "http.connections must"),
    ] {
        let variable = format!("CLEAVE__{name}");
        let ended = serve(&variable, "9223372036854775807");
        refused(&ended, 2, &[key, "1000000", &variable]);
    }
    refused(
        &serve("CLEAVE__BUS__RELAY__LINGER", "2m"),
        2,
        &["bus.relay.linger must be 1s or less"],
    );
    refused(
        &serve("CLEAVE__GATEWAY__RATE_LIMIT__BURST", "0"),
        2,
        &["gateway.rate_limit.burst", "1 or more"],
    );
    refused(
        &serve("CLEAVE__ORDER", "x"),
        2,
        &["`order`", "expected a table of settings"],
    );
    assert!(!here.path().join("data").exists(), "nothing was begun");
}
