//! The refusals of the use cases as problems, in this one place.

use cleave_inventory_contract::port::INSUFFICIENT_INVENTORY;
use cleave_vocabulary::ProductId;
use cleave_web::{FieldError, Problem};

use super::bodies::CheckItem;
use crate::application::{AvailabilityRefusal, EditRefusal, SkuTaken};
use crate::domain::AdjustRefusal;

impl From<SkuTaken> for Problem {
    fn from(_: SkuTaken) -> Self {
        Self::conflict("sku_taken", "Another product has this sku.")
    }
}

impl From<EditRefusal> for Problem {
    fn from(refusal: EditRefusal) -> Self {
        match refusal {
            EditRefusal::UnknownProduct => Self::not_found(),
            EditRefusal::VersionConflict => Self::version_conflict(),
        }
    }
}

impl From<AdjustRefusal> for Problem {
    fn from(refusal: AdjustRefusal) -> Self {
        match refusal {
            AdjustRefusal::UnknownProduct => Self::not_found(),
            AdjustRefusal::Insufficient { available } => Self::conflict(
                INSUFFICIENT_INVENTORY,
                "Less than what is reserved would be left on hand.",
            )
            .with("available", available),
            AdjustRefusal::TooMany => Self::invalid_field(
                "delta",
                "out_of_range",
                "would leave more than 1000000000 on hand",
            ),
        }
    }
}

/// Names each line whose product there is not.
pub(super) fn unavailable(refusal: AvailabilityRefusal, items: &[CheckItem]) -> Problem {
    match refusal {
        AvailabilityRefusal::InvalidLines => {
            Problem::invalid_field("items", "out_of_range", "the quantities can't be added up")
        }
        AvailabilityRefusal::UnknownProducts(unknown) => {
            Problem::validation(unknown_lines(&unknown, items))
        }
    }
}

fn unknown_lines(unknown: &[ProductId], items: &[CheckItem]) -> Vec<FieldError> {
    let lines = items
        .iter()
        .enumerate()
        .filter(|(_, item)| unknown.contains(&item.product_id));
    lines
        .map(|(index, _)| {
            let field = format!("items[{index}].product_id");
            FieldError::new(
                field,
                "unknown_product",
                "is not a product of the catalogue",
            )
        })
        .collect()
}
