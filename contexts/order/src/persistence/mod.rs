//! Orders in their tables. Rows are turned into the domain's types here and go
//! no further. What every order pays for is one statement each, written out;
//! everything else goes through the entity.

mod audit;
mod observed;
mod orders;
mod row;
mod view;

use sea_orm::DbErr;

pub(crate) use audit::{Audited, audited_after, unchanged, viewed_after, viewed_as};
pub(crate) use observed::{observe, observed_of};
pub(crate) use orders::{
    book_shipment, cancel, confirm, deliver, find, insert, note_payment, note_shipment_cancelled,
    note_unpaid, pay, request_cancellation, ship,
};
pub(crate) use row::OrderRow;
pub(crate) use view::{Seen, Wanted, clear_view, list, record_in_view};

/// A value of ours that cannot be kept or read back: a defect, or a database
/// that someone else wrote to.
fn corrupt(what: &str, why: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(format!("{what}: {why}"))
}
