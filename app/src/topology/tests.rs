//! What can be, and what each thing that can't is told.

use super::*;
use crate::settings::DatabaseUrl;

const KEY: &str = "a secret of more than 32 characters";

fn settings(set: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    settings.bus.kind = BusKind::Nats;
    for (name, value) in set {
        let value = (*value).to_owned();
        match *name {
            "only" => settings.topology.only = Some(value),
            "order" => settings.topology.order = value,
            "payment" => settings.topology.payment = value,
            "listen" => settings.internal.listen = Some(value.parse().expect("an address")),
            "key" => settings.internal.key = Some(value),
            other => panic!("{other}"),
        }
    }
    settings
}

fn wrong(set: &[(&str, &str)]) -> String {
    Topology::of(&settings(set))
        .expect_err("impossible")
        .join("\n")
}

fn shared_by_all(only: &str) -> Settings {
    let mut settings = settings(&[("only", only), ("listen", "127.0.0.1:9080"), ("key", KEY)]);
    let at = |port: u16| format!("http://10.0.0.7:{port}/");
    settings.topology.order = at(1);
    settings.topology.notification = at(1);
    settings.topology.payment = at(2);
    settings.topology.inventory = at(3);
    settings.topology.user = at(3);
    settings.topology.shipping = at(3);
    settings
}

#[test]
fn by_default_everything_is_here() {
    let topology = Topology::of(&Settings::default()).expect("possible");
    assert_eq!(topology.hosted().collect::<Vec<_>>(), CONTEXTS);
    assert!(!topology.is_split());
}

#[test]
fn one_file_serves_every_process() {
    let settings = shared_by_all("order,notification");
    let topology = Topology::of(&settings).expect("possible");
    let hosted: Vec<_> = topology.hosted().collect();
    assert_eq!(hosted, ["notification", "order"]);
    let expected = [
        ("http://10.0.0.7:3", vec!["user", "inventory", "shipping"]),
        ("http://10.0.0.7:2", vec!["payment"]),
    ];
    assert_eq!(topology.processes(), expected);
    let mut apart = settings.clone();
    apart.bus.kind = BusKind::InProcess;
    let said = Topology::of(&apart).expect_err("within one").join("\n");
    assert!(said.contains("bus.kind must be \"nats\""), "{said}");

    let gateway = Topology::of(&shared_by_all("gateway")).expect("possible");
    assert_eq!(gateway.hosted().count(), 0);
    assert_eq!(gateway.processes().len(), 3);
}

#[test]
fn what_cannot_be_is_said_all_at_once_with_setting_and_fix() {
    let said = wrong(&[("only", "payment,stock"), ("order", "elsewhere")]);
    for part in [
        "there is no context `stock`",
        "topology.order is neither \"local\" nor the base URL",
        "user runs nowhere",
        "set topology.user to the base URL",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    assert!(!said.contains("payment runs nowhere"), "{said}");
}

#[test]
fn processes_that_cannot_call_each_other_are_told_what_is_missing() {
    let away = ("payment", "http://10.0.0.7:9080");
    assert!(wrong(&[away]).starts_with("internal.key is unset"));
    assert!(wrong(&[away, ("key", "short")]).starts_with("internal.key is too short"));
    let public = Settings::default().http.listen.to_string();
    let same = wrong(&[("key", KEY), ("listen", &public)]);
    assert!(same.contains("the same address"), "{same}");
    let same = wrong(&[("key", KEY), ("listen", "0.0.0.0:8080")]);
    assert!(same.contains("one holds the other"), "{same}");
    let mut deaf = shared_by_all("payment");
    deaf.internal.listen = None;
    let deaf = Topology::of(&deaf).expect_err("nobody listens");
    assert!(deaf[0].contains("internal.listen is unset"), "{deaf:?}");
}

#[test]
fn a_base_url_is_a_host_and_nothing_behind_it() {
    for good in ["http://a", "http://a:1/", "https://[::1]:9080"] {
        assert!(base(good).is_some(), "{good}");
    }
    for bad in [
        "a:1",
        "ftp://a",
        "http://a/b",
        "http://u:p@a",
        "http://a?b",
        "",
    ] {
        assert!(base(bad).is_none(), "{bad}");
    }
}

#[test]
fn replicas_have_an_address_each() {
    let both = "http://10.0.0.7:1/, http://10.0.0.8:1";
    let settings = settings(&[("payment", both), ("key", KEY)]);
    let topology = Topology::of(&settings).expect("possible");
    let at: Vec<_> = topology.elsewhere().collect();
    assert_eq!(at, [("payment", "http://10.0.0.7:1,http://10.0.0.8:1")]);
    assert!(wrong(&[("payment", "http://a,b"), ("key", KEY)]).contains("neither"));
}

#[test]
fn a_replica_knows_where_the_others_are() {
    let both = "http://10.0.0.7:1, http://10.0.0.8:1";
    let mut settings = shared_by_all("payment,order");
    settings.topology.payment = both.to_owned();
    let topology = Topology::of(&settings).expect("possible");
    assert!(topology.is_here("payment"));
    assert!(topology.elsewhere().all(|(name, _)| name != "payment"));
    let urls = "http://10.0.0.7:1,http://10.0.0.8:1";
    assert_eq!(topology.replicas(), [(urls, vec!["payment"])]);
}

#[test]
fn replicas_share_a_database_and_a_bus() {
    let replica = |port: u16| {
        let mut settings = Settings::default();
        settings.internal.listen = Some(([10, 0, 0, 7], port).into());
        settings.http.listen.set_port(8080 + port);
        settings.internal.key = Some(KEY.to_owned());
        settings.database.url = Some(DatabaseUrl("postgres://db/shop".to_owned()));
        settings.bus.kind = BusKind::Nats;
        settings.bus.nats.url = Some("nats://127.0.0.1:4222".to_owned());
        settings
    };
    let together = |change: fn(&mut Settings)| {
        let mut other = replica(2);
        change(&mut other);
        check_together(
            &[("a".to_owned(), replica(1)), ("b".to_owned(), other)],
            true,
        )
    };
    assert_eq!(together(|_| {}), Vec::<String>::new());
    for (change, contexts, said) in [
        (
            (|other| other.database.url = None) as fn(&mut Settings),
            6,
            "SQLite",
        ),
        (
            |other| other.database.payment.url = Some(DatabaseUrl("postgres://db/b".to_owned())),
            1,
            "different databases; set database.payment.url",
        ),
        (
            |other| other.bus.kind = BusKind::InProcess,
            6,
            "set bus.kind to \"nats\"",
        ),
    ] {
        let wrong = together(change);
        assert_eq!(wrong.len(), contexts, "{wrong:?}");
        assert!(wrong[0].contains(said), "{wrong:?}");
    }
    let [mut a, mut b] = [replica(1), replica(2)];
    (a.internal.key, b.internal.key) = (None, None);
    (a.internal.listen, b.internal.listen) = (None, None);
    let wrong = check_together(&[("a".to_owned(), a), ("b".to_owned(), b)], true);
    assert!(
        wrong[0].starts_with("user runs in a and b: what one seals"),
        "{wrong:?}"
    );
}

#[test]
fn a_drawing_names_every_process() {
    let settings = shared_by_all("payment");
    let drawing = Topology::of(&settings)
        .expect("possible")
        .drawing(&settings);
    insta::assert_snapshot!(drawing, @r"
    this process   public http://127.0.0.1:8080, internal http://127.0.0.1:9080
      ├─ payment
      ├─ http://10.0.0.7:3 ── user, inventory, shipping
      └─ http://10.0.0.7:1 ── notification, order
    ");
}

#[test]
fn processes_are_held_against_each_other() {
    let named = |name: &str, settings: Settings| (name.to_owned(), settings);
    let listening = |only: &str, port: u16| {
        let mut settings = shared_by_all(only);
        settings.internal.listen = Some(([10, 0, 0, 7], port).into());
        settings.http.listen.set_port(8080 + port);
        settings
    };
    let (one, two) = ("order,notification", "user,inventory,shipping");
    let three = [
        named("a", listening(one, 1)),
        named("b", listening("payment", 2)),
        named("c", listening(two, 3)),
    ];
    assert_eq!(check_together(&three, true), Vec::<String>::new());

    let missing = check_together(&three[..2], true);
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert!(missing[0].starts_with("user runs nowhere"), "{missing:?}");

    let [a, b, c] = three;
    let mut stranger = listening("payment", 2);
    stranger.internal.key = Some("another secret, and as long as that".to_owned());
    let wrong = check_together(&[a, b, c, named("d", stranger)], true);
    assert!(wrong[0].starts_with("payment runs in b and d"), "{wrong:?}");
    let keys = |it: &String| it.starts_with("internal.key is not the same");
    assert!(wrong.iter().any(keys), "{wrong:?}");

    let moved = [
        named(
            "a",
            listening("order,notification,user,inventory,shipping", 1),
        ),
        named("b", listening("payment", 4)),
    ];
    let wrong = check_together(&moved, true);
    assert!(
        wrong
            .iter()
            .any(|it| it.starts_with("a: topology.payment is http://10.0.0.7:2")),
        "{wrong:?}"
    );
}
