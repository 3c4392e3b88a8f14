//! The catalogue: importing, quoting, and what the audit sees.

use cleave_inventory_contract::port::GetQuote;
use cleave_store::{Tx, UnitError};
use cleave_tests::audits::{broken, tamper};
use cleave_vocabulary::{Currency, Money, ProductId};
use sea_orm::ConnectionTrait;

use super::shop::{Shop, row};

#[tokio::test]
async fn an_import_skips_what_is_there_and_can_be_repeated() {
    let shop = Shop::open().await;
    let mut rows: Vec<_> = (0..3_115).map(|n| row(&format!("A{n}"), 10)).collect();
    rows.push(row("A7", 99));
    let import = |rows: Vec<_>| {
        let catalogue = shop.catalogue.clone();
        async move { catalogue.import_products(&rows).await.expect("imports") }
    };
    let first = import(rows.clone()).await;
    assert_eq!((first.inserted, first.skipped), (3_115, 1));
    rows.push(row("B", 1));
    let second = import(rows).await;
    assert_eq!((second.inserted, second.skipped), (1, 3_116));
    let stock = shop.stock().await;
    assert_eq!(stock.len(), 3_116);
    assert!(!stock.contains(&(99, 0)), "the first row of a sku counts");
    shop.is_sound().await;
}

#[tokio::test]
async fn an_import_with_a_bad_row_imports_nothing() {
    let shop = Shop::open().await;
    let mut bad = row("B", 1);
    bad.price = Money::new(0, Currency::GBP);
    let rows = [row("A", 1), bad];
    let imported = shop.catalogue.import_products(&rows).await;
    let error = imported.expect_err("refused").to_string();
    assert!(error.starts_with("row 2: price must be"), "{error}");
    assert!(shop.stock().await.is_empty());
}

#[tokio::test]
async fn a_quote_tells_prices_and_what_is_available() {
    let shop = Shop::open().await;
    let [globe, fan] = shop.stocked([50, 30]).await;
    shop.reserve(shop.order(), "k", &[(fan, 4)])
        .await
        .expect("held");
    let nowhere: ProductId = shop.ids.next();
    let asked = GetQuote {
        product_ids: vec![globe, fan, nowhere],
    };
    let before = shop.store.read_stats().statements;
    let quote = shop.port.quote(&shop.call(), asked).await;
    assert_eq!(shop.store.read_stats().statements - before, 1);
    let mut products = quote.expect("answers").products;
    products.sort_by(|one, other| one.sku.cmp(&other.sku));
    let told: Vec<_> = products
        .iter()
        .map(|product| (product.product_id, product.name.as_str(), product.available))
        .collect();
    let expected = [
        (globe, "Product SKU-0000", 50),
        (fan, "Product SKU-0001", 26),
    ];
    assert_eq!(told, expected);
    assert_eq!(products[0].unit_price, Money::new(100, Currency::GBP));
}

#[tokio::test]
async fn the_audit_sees_stock_that_nothing_holds() {
    let shop = Shop::open().await;
    let [globe] = shop.stocked([50]).await;
    for order in [shop.order(), shop.order()] {
        let key = order.to_string();
        shop.reserve(order, &key, &[(globe, 30)]).await.ok();
    }
    tamper(&shop.store, "UPDATE stock SET reserved = 3").await;
    let found = broken(&*shop.auditor).await;
    assert_eq!(found, ["reserved_is_the_sum_of_live_reservations"]);
    let checks = shop.auditor.audit().await.expect("counts");
    let violation = &checks[1].violations[0];
    assert_eq!(violation.subject, globe.to_string());
    assert_eq!(violation.detail, "reserved 3, live reservations 30");
    let checked: Vec<_> = checks.iter().map(|check| check.checked).collect();
    assert_eq!(
        checked,
        [1, 1, 2],
        "the refused reservation has a state too"
    );
}

#[tokio::test]
async fn the_database_itself_refuses_what_would_be_oversold() {
    let shop = Shop::open().await;
    let [_globe] = shop.stocked([50]).await;
    for spoil in [
        "UPDATE stock SET reserved = 51",
        "UPDATE stock SET reserved = -1",
        "UPDATE stock SET on_hand = -1",
    ] {
        let spoilt = shop.store.write(async move |tx: &Tx| {
            tx.execute_unprepared(spoil).await?;
            Ok::<_, UnitError<std::convert::Infallible>>(())
        });
        assert!(spoilt.await.is_err(), "{spoil}");
    }
}
