//! The one place where refusals become problems.

use cleave_web::{FieldError, Problem};

use crate::application::{CancelRefusal, FollowRefusal, PlacementRefusal};
use crate::domain::BasketRefusal;

impl From<PlacementRefusal> for Problem {
    fn from(refusal: PlacementRefusal) -> Self {
        match refusal {
            PlacementRefusal::Basket(refusal) => refusal.into(),
            PlacementRefusal::UnsupportedPaymentMethod => Self::invalid_field(
                "payment_method",
                "unsupported",
                "is not a payment method that can be charged",
            ),
        }
    }
}

impl From<BasketRefusal> for Problem {
    fn from(refusal: BasketRefusal) -> Self {
        match refusal {
            BasketRefusal::Empty => {
                Self::invalid_field("items", "too_short", "must have 1 items or more")
            }
            BasketRefusal::TooManyLines { most } => Self::invalid_field(
                "items",
                "too_long",
                format!("must have at most {most} items"),
            ),
            BasketRefusal::QuantityOutOfRange { line } => Self::invalid_field(
                format!("items[{line}].quantity"),
                "out_of_range",
                "must be 1 to 10000, together with other lines of the same product",
            ),
            BasketRefusal::UnknownProducts { lines } => {
                let unknown = |line| {
                    let field = format!("items[{line}].product_id");
                    FieldError::new(
                        field,
                        "unknown_product",
                        "is not a product of the catalogue",
                    )
                };
                Self::validation(lines.into_iter().map(unknown).collect())
            }
            BasketRefusal::MixedCurrencies => Self::invalid_field(
                "items",
                "mixed_currencies",
                "must be priced in one currency; order the others apart",
            ),
            BasketRefusal::TooExpensive => {
                Self::invalid_field("items", "too_expensive", "cost more than can be charged")
            }
            BasketRefusal::Short(short) => Self::conflict(
                "insufficient_inventory",
                "There is not enough in stock; `items` says how much there is.",
            )
            .with("items", short),
        }
    }
}

impl From<CancelRefusal> for Problem {
    fn from(refusal: CancelRefusal) -> Self {
        match refusal {
            CancelRefusal::NotFound => Self::not_found(),
            CancelRefusal::NotCancellable(status) => Self::conflict(
                "order_not_cancellable",
                format!("An order that is {status} can no longer be cancelled."),
            ),
        }
    }
}

impl From<FollowRefusal> for Problem {
    fn from(refusal: FollowRefusal) -> Self {
        match refusal {
            FollowRefusal::NotFound => Self::not_found(),
            FollowRefusal::Crowded => Self::unavailable(
                &"as many live timelines are open as may be (order.follow.streams)",
            ),
        }
    }
}
