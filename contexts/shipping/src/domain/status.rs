//! Where shipments stand, under the names of the public API.

use std::str::FromStr;

/// Where a shipment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ShipmentStatus {
    /// Booked; the carrier has not come yet.
    Scheduled,
    /// The carrier has it.
    InTransit,
    /// It has arrived.
    Delivered,
    /// Called off before the carrier came.
    Cancelled,
}

/// A shipment cannot go from where it stands to where it was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A shipment that is {} cannot become {}.", from.as_str(), to.as_str())]
pub(crate) struct InvalidTransition {
    pub(crate) from: ShipmentStatus,
    pub(crate) to: ShipmentStatus,
}

impl ShipmentStatus {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Scheduled,
        Self::InTransit,
        Self::Delivered,
        Self::Cancelled,
    ];

    /// The name in the public API and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::InTransit => "in_transit",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The next status, where the way there is one.
    pub(crate) fn to(self, next: Self) -> Result<Self, InvalidTransition> {
        match (self, next) {
            (Self::Scheduled, Self::InTransit | Self::Cancelled)
            | (Self::InTransit, Self::Delivered) => Ok(next),
            (from, to) => Err(InvalidTransition { from, to }),
        }
    }
}

impl FromStr for ShipmentStatus {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == name)
            .ok_or_else(|| format!("`{name}` is not the status of a shipment"))
    }
}

#[cfg(test)]
mod tests {
    use super::ShipmentStatus::{Cancelled, Delivered, InTransit, Scheduled};
    use super::*;

    #[test]
    fn a_shipment_goes_forward_or_is_called_off_before_the_pickup() {
        let ways = [
            (Scheduled, InTransit),
            (Scheduled, Cancelled),
            (InTransit, Delivered),
        ];
        for from in ShipmentStatus::ALL {
            for to in ShipmentStatus::ALL {
                let expected = if ways.contains(&(from, to)) {
                    Ok(to)
                } else {
                    Err(InvalidTransition { from, to })
                };
                assert_eq!(from.to(to), expected);
            }
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for status in ShipmentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            let json = serde_json::to_value(status).expect("JSON");
            assert_eq!(json, status.as_str());
        }
        assert!("void".parse::<ShipmentStatus>().is_err());
    }
}
