//! Files of orders that cannot be used, in whole or in part.

use cleave_tests::program::run;

use super::{folder, refused};

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
    std::fs::write(&file, "").expect("written");
    refused(&replay(), 1, &["orders.csv is empty", "order_no,placed_at"]);
    std::fs::write(&file, b"\xff\xfeo\0r\0d\0e\0r\0").expect("written");
    refused(&replay(), 1, &["orders.csv lacks the columns"]);
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

#[test]
fn a_file_without_an_order_that_can_be_placed_says_why() {
    let here = folder();
    let file = here.path().join("orders.csv");
    let rows = "order_no,placed_at,customer,country,sku,quantity\n\
                1,t\n2,t,c,France,no-such-sku,1\n";
    std::fs::write(&file, rows).expect("written");
    let words = ["replay", "orders.csv", "--data-dir", "data"];
    refused(
        &run(here.path(), &words, &[]),
        1,
        &[
            "orders.csv holds no order that can be placed",
            "line 2: the row has no",
            "line 3: the catalogue has no product",
        ],
    );
    let words = ["replay", "orders.csv", "--url", "the shop"];
    refused(&run(here.path(), &words, &[]), 2, &["--url", "http://"]);
}
