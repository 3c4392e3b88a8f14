//! Reads the three sources of an order's timeline, all within one snapshot.

use cleave_messaging::Outbox;
use cleave_order_contract::events::{
    OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderPaid, OrderShipped,
};
use cleave_saga::{Engine, LogEntry};
use cleave_store::{Tx, Unit};
use cleave_vocabulary::{Envelope, Event, OrderId};

use crate::domain::Status;
use crate::domain::timeline::{Cause, Command, Cursor, Entry, Item, Kind, Sources, Tie, detail};
use crate::fulfilment::STEPS;
use crate::persistence as rows;

/// The status that an order has from this event on.
pub(crate) fn status_told_by(event_type: &str) -> Option<Status> {
    match event_type {
        OrderCreated::TYPE => Some(Status::Pending),
        OrderConfirmed::TYPE => Some(Status::Confirmed),
        OrderPaid::TYPE => Some(Status::Paid),
        OrderShipped::TYPE => Some(Status::Shipped),
        OrderDelivered::TYPE => Some(Status::Delivered),
        OrderCancelled::TYPE => Some(Status::Cancelled),
        _ => None,
    }
}

/// What was written about an order behind `place`.
pub(super) async fn sources_behind(tx: &Tx, order: OrderId, place: Cursor) -> Unit<Sources> {
    let subject = order.to_string();
    let own = Outbox::of_subject(tx, &subject, place.own_seq()).await?;
    let log = Engine::log_of(tx, &subject, place.log).await?;
    let own = own.into_iter().flat_map(|(seq, event)| told(seq, &event));
    Ok(Sources {
        own: own.filter(|entry| entry.position > place.own).collect(),
        log: log.into_iter().map(step).collect(),
        observed: rows::observed_of(tx, order, place.observed).await?,
    })
}

/// An event of an order says two things: which status it has now, and itself.
fn told(seq: i64, event: &Envelope) -> Vec<Entry> {
    let entry = |position, kind, name: &str, detail| Entry {
        position,
        tie: Tie::Own {
            id: event.id,
            cause: event.causationid.as_deref().and_then(Cause::of),
        },
        item: Item {
            at: event.time,
            context: "order".into(),
            kind,
            name: name.to_owned(),
            outcome: None,
            attempt: None,
            detail,
        },
    };
    let status = status_told_by(&event.kind);
    let status = status.map(|status| entry(2 * seq, Kind::Status, status.as_str(), None));
    let data = serde_json::from_str(event.data.get()).unwrap_or_default();
    let itself = entry(
        2 * seq + 1,
        Kind::Event,
        &event.kind,
        detail::of_event(data),
    );
    status.into_iter().chain([itself]).collect()
}

fn step(line: LogEntry) -> Entry {
    let undoes = STEPS.into_iter().find(|(_, undo)| *undo == line.name);
    let (kind, command) = match undoes {
        Some((step, _)) => (Kind::Compensation, Command::undo(step)),
        None => (Kind::Step, Command::action(&line.name)),
    };
    Entry {
        position: line.seq,
        tie: Tie::Line(command),
        item: Item {
            at: line.at,
            context: "order".into(),
            kind,
            detail: detail::of_step(&line.outcome, line.detail),
            name: line.name,
            outcome: Some(line.outcome),
            attempt: Some(line.attempt),
        },
    }
}
