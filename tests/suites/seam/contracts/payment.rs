//! Payments on the wire.

use cleave_payment_contract::port::{self, *};
use cleave_vocabulary::{KeyedOutcome, OutcomeOf, Refusal};

use super::book::{Book, held};
use super::{id, pounds};

async fn money_moves(book: &mut Book) {
    let (key, order_id) = ("k-1".to_owned(), id("ord"));
    let charge = ChargeOrder {
        key: key.clone(),
        order_id,
        user_id: id("usr"),
        amount: pounds(1999),
        payment_method: "pm_card".to_owned(),
    };
    let charged = Charged {
        payment_id: id("pay"),
    };
    held!(
        book,
        port,
        charge,
        charge,
        charged,
        [PAYMENT_DECLINED, ALREADY_REFUNDED]
    );
    let refused = KeyedOutcome::Refused(Refusal::new(PAYMENT_DECLINED, "No."));
    held!(
        book,
        port,
        resolve_charge,
        OutcomeOf { key: key.clone() },
        refused,
        []
    );
    let refund = RefundOrder {
        key,
        order_id,
        reason: "expired".to_owned(),
    };
    let refunded = Refunded {
        payment_id: Some(id("pay")),
        amount: Some(pounds(1999)),
    };
    held!(book, port, refund, refund, refunded, []);
}

async fn questions(book: &mut Book) {
    let method = SupportsMethod {
        payment_method: "pm_card".to_owned(),
    };
    held!(
        book,
        port,
        supports,
        method,
        Supported { supported: true },
        []
    );
    let standing = PaymentStanding {
        payment_id: Some(id("pay")),
        status: Some("completed".to_owned()),
    };
    held!(
        book,
        port,
        status,
        GetPaymentStatus {
            order_id: id("ord")
        },
        standing,
        []
    );
    let statement = Statement {
        order_id: id("ord"),
        completed_charges: 1,
        charged: pounds(1999),
        refunded: pounds(500),
    };
    let statements = Statements {
        items: vec![statement],
    };
    held!(
        book,
        port,
        statements,
        GetStatements {
            order_ids: vec![id("ord")]
        },
        statements,
        []
    );
}

#[tokio::test]
async fn payments_are_called_as_they_always_were() {
    let mut book = Book::of(&PORT, include_str!("older/payment.json"));
    money_moves(&mut book).await;
    questions(&mut book).await;
    let (today, understood) = book.close();
    insta::assert_json_snapshot!("payment", today);
    insta::assert_json_snapshot!("payment_older", understood);
}
