//! An audit's questions on the wire.

use cleave::audit::port::{self, *};
use cleave_hosting::AuditCheck;

use super::book::{Book, held};
use super::{id, moment};

fn of_orders() -> OfContext {
    OfContext {
        context: "order".to_owned(),
    }
}

async fn invariants(book: &mut Book) {
    let mut check = AuditCheck::named("orders_add_up");
    check.see(&"ord_1", Some("is a penny short".to_owned()));
    let checks = Checks {
        checks: vec![check],
    };
    held!(book, port, audit_checks, of_orders(), checks, []);
}

async fn events(book: &mut Book) {
    let handler = HandlerOf {
        name: "order.fulfilment".to_owned(),
        types: vec!["payment.charged".to_owned()],
    };
    let handlers = Handlers {
        handlers: vec![handler],
    };
    held!(book, port, audit_handlers, of_orders(), handlers, []);
    let behind = OutboxBehind {
        context: "order".to_owned(),
        after: 500,
    };
    let event = EventTold {
        seq: 501,
        id: id("evt"),
        kind: "order.paid".to_owned(),
        at: moment(),
    };
    let page = OutboxPage {
        settled: 501,
        events: vec![event],
    };
    held!(book, port, audit_outbox, behind, page, []);
    let events = vec![id("evt")];
    let asked = FindMissing {
        context: "order".to_owned(),
        handler: "order.fulfilment".to_owned(),
        events: events.clone(),
    };
    held!(book, port, audit_missing, asked, Missing { events }, []);
}

#[tokio::test]
async fn processes_are_audited_as_they_always_were() {
    let mut book = Book::of(&PORT, include_str!("older/audit.json"));
    invariants(&mut book).await;
    events(&mut book).await;
    let (today, understood) = book.close();
    insta::assert_json_snapshot!("audit", today);
    insta::assert_json_snapshot!("audit_older", understood);
}
