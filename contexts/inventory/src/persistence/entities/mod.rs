//! The rows as sea-orm sees them. They never leave `persistence`.

pub(super) mod adjustment;
pub(super) mod product;
pub(super) mod reservation;
pub(super) mod stock;
