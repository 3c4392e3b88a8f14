//! Stock and catalogue on the wire.

use cleave_inventory_contract::port::{self, *};
use cleave_vocabulary::{KeyedOutcome, OutcomeOf};

use super::book::{Book, held};
use super::{id, moment, pounds};

fn key() -> String {
    "k-1".to_owned()
}

async fn reservations(book: &mut Book) {
    let order_id = id("ord");
    let lines = vec![StockLine {
        product_id: id("prd"),
        quantity: 2,
    }];
    let reserved = Reserved {
        reservation_id: id("rsv"),
        expires_at: moment(),
    };
    let refusals = [INSUFFICIENT_INVENTORY, UNKNOWN_PRODUCT, ALREADY_RELEASED];
    held!(
        book,
        port,
        reserve,
        ReserveStock {
            key: key(),
            order_id,
            lines
        },
        reserved.clone(),
        refusals
    );
    let done = KeyedOutcome::Done(reserved);
    held!(
        book,
        port,
        reserve_outcome,
        OutcomeOf { key: key() },
        done,
        []
    );
    let taken = Taken {
        reservation_id: id("rsv"),
    };
    held!(
        book,
        port,
        take,
        TakeStock {
            key: key(),
            order_id
        },
        taken,
        [RESERVATION_EXPIRED]
    );
    let released = Released {
        reservation_id: Some(id("rsv")),
    };
    held!(
        book,
        port,
        release,
        ReleaseStock {
            key: key(),
            order_id
        },
        released,
        []
    );
}

async fn questions(book: &mut Book) {
    let product = QuotedProduct {
        product_id: id("prd"),
        sku: "MUG-1".to_owned(),
        name: "Mug".to_owned(),
        unit_price: pounds(1999),
        available: -1,
    };
    let quote = Quote {
        products: vec![product],
    };
    held!(
        book,
        port,
        quote,
        GetQuote {
            product_ids: vec![id("prd")]
        },
        quote,
        []
    );
    let states = [
        HoldingState::Held,
        HoldingState::Taken,
        HoldingState::Released,
        HoldingState::Expired,
    ];
    let items = states.map(|state| Holding {
        order_id: id("ord"),
        state,
    });
    let holdings = Holdings {
        items: items.into(),
    };
    held!(
        book,
        port,
        holdings,
        GetHoldings {
            order_ids: vec![id("ord")]
        },
        holdings,
        []
    );
}

#[tokio::test]
async fn inventory_is_called_as_it_always_was() {
    let mut book = Book::of(&PORT, include_str!("older/inventory.json"));
    reservations(&mut book).await;
    questions(&mut book).await;
    let (today, understood) = book.close();
    insta::assert_json_snapshot!("inventory", today);
    insta::assert_json_snapshot!("inventory_older", understood);
}

#[test]
fn short_lines_are_written_as_they_always_were() {
    let short = ShortLine {
        product_id: id("prd"),
        requested: 3,
        available: 1,
    };
    insta::assert_json_snapshot!("inventory_short_line", short);
}
