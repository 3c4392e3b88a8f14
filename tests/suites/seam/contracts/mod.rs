//! The real contracts as they look on the wire: every operation of every port
//! with its input, its answer and its refusals; what a release earlier wrote, read
//! by today's types; and words that nobody knows yet.

mod audit;
mod book;
mod inventory;
mod payment;
mod shipping;
mod strange;
mod user;

use std::str::FromStr;

use cleave_vocabulary::{Money, Timestamp};

/// The id of this kind that all examples use.
fn id<T: FromStr<Err: std::fmt::Debug>>(prefix: &str) -> T {
    let text = format!("{prefix}_01h455vb4pex5vsknk084sn02q");
    text.parse().expect("an id")
}

fn pounds(amount: i64) -> Money {
    Money::new(amount, "GBP".parse().expect("a currency"))
}

fn moment() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}
