//! Shipments on the wire.

use cleave_shipping_contract::port::{self, *};
use cleave_vocabulary::{KeyedOutcome, OutcomeOf};

use super::book::{Book, held};
use super::id;

fn booking() -> ScheduleShipment {
    ScheduleShipment {
        key: "k-1".to_owned(),
        order_id: id("ord"),
        user_id: id("usr"),
        address: Address {
            name: "Ada".to_owned(),
            line1: "1 Mill Lane".to_owned(),
            line2: Some("Upstairs".to_owned()),
            city: "Leeds".to_owned(),
            postal_code: "LS1 1AA".to_owned(),
            country: "GB".to_owned(),
        },
    }
}

#[tokio::test]
async fn shipping_is_called_as_it_always_was() {
    let mut book = Book::of(&PORT, include_str!("older/shipping.json"));
    let scheduled = Scheduled {
        shipment_id: id("shp"),
        carrier: "swift".to_owned(),
        tracking_number: "SW1".to_owned(),
    };
    held!(
        book,
        port,
        schedule,
        booking(),
        scheduled,
        [SHIPPING_REFUSED, ALREADY_CANCELLED]
    );
    let (key, order_id) = ("k-1".to_owned(), id("ord"));
    let never = KeyedOutcome::Never;
    held!(
        book,
        port,
        resolve_schedule,
        OutcomeOf { key: key.clone() },
        never,
        []
    );
    let cancelled = Cancelled {
        shipment_id: Some(id("shp")),
    };
    held!(
        book,
        port,
        cancel,
        CancelShipment { key, order_id },
        cancelled,
        [ALREADY_DISPATCHED]
    );
    let status = "scheduled".to_owned();
    let standing = ShipmentStanding {
        order_id,
        shipment_id: id("shp"),
        status,
    };
    let shipments = Shipments {
        items: vec![standing],
    };
    held!(
        book,
        port,
        shipments,
        GetShipments {
            order_ids: vec![order_id]
        },
        shipments,
        []
    );
    let (today, understood) = book.close();
    insta::assert_json_snapshot!("shipping", today);
    insta::assert_json_snapshot!("shipping_older", understood);
}
