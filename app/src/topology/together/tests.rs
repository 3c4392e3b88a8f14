//! Processes that are right by themselves and wrong together, and what each is told.

use super::check_together;
use crate::settings::{BusKind, DatabaseUrl, Settings};

const KEY: &str = "a secret of more than 32 characters";

/// Payments in a process of their own, everything else in the other, on one machine.
fn pair() -> [Settings; 2] {
    let process = |only: &str, port: u16| {
        let mut settings = Settings::default();
        settings.topology.only = Some(only.to_owned());
        settings.http.listen.set_port(8080 + port);
        settings.internal.listen = Some(([127, 0, 0, 1], 9080 + port).into());
        settings.internal.key = Some(KEY.to_owned());
        settings.bus.kind = BusKind::Nats;
        settings.bus.nats.url = Some("nats://127.0.0.1:4222".to_owned());
        settings.topology.payment = "http://127.0.0.1:9081".to_owned();
        front_at(&mut settings, "http://127.0.0.1:9080");
        settings
    };
    let front = process("order,inventory,user,notification,shipping", 0);
    [front, process("payment", 1)]
}

/// Says where everything but payments is.
fn front_at(settings: &mut Settings, url: &str) {
    settings.topology.order = url.to_owned();
    settings.topology.inventory = url.to_owned();
    settings.topology.user = url.to_owned();
    settings.topology.notification = url.to_owned();
    settings.topology.shipping = url.to_owned();
}

/// The pair, and a second process for payments over the same database.
fn replicas() -> Vec<Settings> {
    let [front, mut one] = pair();
    one.database.payment.url = Some(DatabaseUrl("postgres://db/shop".to_owned()));
    let mut two = one.clone();
    two.http.listen.set_port(8082);
    two.internal.listen = Some(([127, 0, 0, 1], 9082).into());
    let mut replicas = vec![front, one, two];
    for settings in &mut replicas {
        settings.topology.payment = "http://127.0.0.1:9081,http://127.0.0.1:9082".to_owned();
    }
    replicas
}

fn wrong(processes: impl IntoIterator<Item = Settings>) -> Vec<String> {
    let names = ["a", "b", "c"].map(str::to_owned);
    let named: Vec<_> = names.into_iter().zip(processes).collect();
    check_together(&named, true)
}

/// Asserts that one thing is wrong, and that its message has each of these parts.
#[track_caller]
fn told(processes: impl IntoIterator<Item = Settings>, parts: &[&str]) {
    let wrong = wrong(processes);
    assert_eq!(wrong.len(), 1, "{wrong:#?}");
    for part in parts {
        assert!(wrong[0].contains(part), "`{part}` is not in {}", wrong[0]);
    }
}

#[test]
fn nothing_is_wrong_with_these() {
    assert_eq!(wrong(pair()), Vec::<String>::new());
    assert_eq!(wrong(replicas()), Vec::<String>::new());
}

#[test]
fn all_processes_hear_one_broker() {
    let [a, mut b] = pair();
    b.bus.nats.url = Some("nats://who:secret@10.0.0.9".to_owned());
    let said = "bus.nats.url leads to 127.0.0.1:4222 in a and to 10.0.0.9:4222 in b";
    told([a.clone(), b.clone()], &[said, "set it to the servers of"]);
    b.bus.nats.url = Some("nats://10.0.0.9,127.0.0.1".to_owned());
    assert_eq!(wrong([a.clone(), b.clone()]), Vec::<String>::new());
    b.bus.nats.prefix = "other".to_owned();
    told([a, b], &["bus.nats.prefix is cleave in a and other in b"]);
}

#[test]
fn who_is_called_hears_it_at_that_address() {
    let [mut a, mut b] = pair();
    a.topology.payment = "http://10.0.0.7:9081".to_owned();
    let parts = [
        "topology.payment is http://10.0.0.7:9081",
        "b has internal.listen 127.0.0.1:9081",
    ];
    told([a.clone(), b.clone()], &parts);
    b.internal.listen = Some(([10, 0, 0, 8], 9081).into());
    told(
        [a.clone(), b.clone()],
        &["b has internal.listen 10.0.0.8:9081"],
    );
    b.internal.listen = Some(([0, 0, 0, 0], 9081).into());
    assert_eq!(wrong([a.clone(), b.clone()]), Vec::<String>::new());
    a.topology.payment = "http://payment:9081".to_owned();
    assert_eq!(wrong([a.clone(), b.clone()]), Vec::<String>::new());
    a.topology.payment = "http://localhost:9081".to_owned();
    assert_eq!(wrong([a.clone(), b.clone()]), Vec::<String>::new());
    b.internal.listen = Some(([10, 0, 0, 8], 9081).into());
    told([a, b], &["topology.payment is http://localhost:9081"]);
}

#[test]
fn processes_of_one_machine_listen_apart() {
    let [a, mut b] = pair();
    b.http.listen = ([0, 0, 0, 0], 8080).into();
    let parts = [
        "http.listen of the one (127.0.0.1:8080)",
        "(0.0.0.0:8080)",
        "give one",
    ];
    told([a, b], &parts);
    // The same addresses of two machines are two.
    let [mut a, mut b] = pair();
    for settings in [&mut a, &mut b] {
        settings.http.listen.set_port(8080);
        settings.internal.listen = Some(([0, 0, 0, 0], 9080).into());
        settings.topology.payment = "http://10.0.0.8:9080".to_owned();
    }
    front_at(&mut b, "http://10.0.0.7:9080");
    assert_eq!(wrong([a.clone(), b.clone()]), Vec::<String>::new());
    front_at(&mut b, "http://10.0.0.8:9080");
    let collisions = wrong([a, b]);
    assert_eq!(collisions.len(), 2, "{collisions:#?}");
}

#[test]
fn every_replica_is_named() {
    let mut processes = replicas();
    processes[0].topology.payment = "http://127.0.0.1:9081".to_owned();
    let parts = [
        "a: topology.payment does not name c",
        "internal.listen 127.0.0.1:9082",
    ];
    told(processes.clone(), &parts);
    for settings in &mut processes[1..] {
        settings.internal.listen = Some(([0, 0, 0, 0], 9081).into());
        front_at(settings, "http://front:9080");
    }
    processes[0].internal.listen = Some(([0, 0, 0, 0], 9080).into());
    processes[0].topology.payment = "http://payment-1:9081".to_owned();
    told(processes, &["topology.payment has fewer addresses"]);
}

#[test]
fn each_context_has_a_schema_of_its_own() {
    let one = || Some(DatabaseUrl("postgres://db/shop?schema=shop".to_owned()));
    let [mut a, mut b] = pair();
    a.database.order.url = one();
    b.database.payment.url = one();
    let parts = [
        "db:5432/shop, schema shop is that of order in a",
        "database.payment.url",
    ];
    told([a.clone(), b], &parts);
    a.database.user.url = one();
    let alone = a.check().expect_err("two contexts");
    let said = "database.order.url and database.user.url both lead to db:5432/shop, schema shop";
    assert!(alone.contains(said), "{alone}");
    // A role of its own for each replica, over the same schema, is possible.
    let mut replicas = replicas();
    replicas[2].database.payment.url = Some(DatabaseUrl("postgres://two@db/shop".to_owned()));
    assert_eq!(wrong(replicas), Vec::<String>::new());
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_missing() {
    let [a, _] = pair();
    let alone = [("a".to_owned(), a)];
    assert_eq!(check_together(&alone, false), Vec::<String>::new());
    assert_eq!(check_together(&alone, true).len(), 1);
}
