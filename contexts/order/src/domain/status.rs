//! The states of an order and the moves between them. Every change of status
//! in this context, whether on an order in memory or as a guarded update in
//! its table, asks [`Transition`] which states it may start from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStatus)]
pub(crate) enum Status {
    /// Made.
    Pending,
    /// Its stock is reserved.
    Confirmed,
    /// Charged.
    Paid,
    /// Picked up by the carrier.
    Shipped,
    /// Arrived.
    Delivered,
    /// Called off, and everything done for it undone.
    Cancelled,
}

impl Status {
    /// Each of them, in the order of an order's life.
    pub(crate) const ALL: [Self; 6] = [
        Self::Pending,
        Self::Confirmed,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
    ];

    /// As databases and JSON write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing follows it.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Cancelled)
    }

    /// The order was charged, and is not being given its money back.
    pub(crate) const fn is_paid_or_later(self) -> bool {
        matches!(self, Self::Paid | Self::Shipped | Self::Delivered)
    }

    /// Whether some sequence of transitions leads from here to `later`.
    pub(crate) fn precedes(self, later: Self) -> bool {
        Transition::ALL.iter().any(|step| {
            step.to() == later
                && step
                    .from()
                    .iter()
                    .any(|from| *from == self || self.precedes(*from))
        })
    }

    /// The status after `transition`.
    pub(crate) fn after(self, transition: Transition) -> Result<Self, IllegalTransition> {
        if transition.from().contains(&self) {
            Ok(transition.to())
        } else {
            Err(IllegalTransition {
                from: self,
                transition,
            })
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not the status of an order"))
    }
}

/// A move from one status to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transition {
    /// Its stock was reserved.
    Confirm,
    /// It was charged.
    Pay,
    /// The carrier picked it up.
    Ship,
    /// It arrived.
    Deliver,
    /// Everything done for it was undone.
    Cancel,
}

impl Transition {
    const ALL: [Self; 5] = [
        Self::Confirm,
        Self::Pay,
        Self::Ship,
        Self::Deliver,
        Self::Cancel,
    ];

    /// Where it may start.
    pub(crate) const fn from(self) -> &'static [Status] {
        match self {
            Self::Confirm => &[Status::Pending],
            Self::Pay => &[Status::Confirmed],
            Self::Ship => &[Status::Paid],
            Self::Deliver => &[Status::Shipped],
            // Not from `Shipped`: what the carrier has cannot be undone from here.
            Self::Cancel => &[Status::Pending, Status::Confirmed, Status::Paid],
        }
    }

    /// Where it leads.
    pub(crate) const fn to(self) -> Status {
        match self {
            Self::Confirm => Status::Confirmed,
            Self::Pay => Status::Paid,
            Self::Ship => Status::Shipped,
            Self::Deliver => Status::Delivered,
            Self::Cancel => Status::Cancelled,
        }
    }
}

/// A move that the status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from} does not become {}", transition.to())]
pub(crate) struct IllegalTransition {
    /// The status it had.
    pub(crate) from: Status,
    /// What was tried.
    pub(crate) transition: Transition,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_moves_forward_one_status_at_a_time() {
        let mut status = Status::Pending;
        for step in [
            Transition::Confirm,
            Transition::Pay,
            Transition::Ship,
            Transition::Deliver,
        ] {
            status = status.after(step).expect("the way of every order");
        }
        assert_eq!(status, Status::Delivered);
    }

    #[test]
    fn every_move_but_those_listed_is_refused() {
        let mut allowed = Vec::new();
        for from in Status::ALL {
            for step in Transition::ALL {
                match from.after(step) {
                    Ok(to) => allowed.push(format!("{from} -> {to}")),
                    Err(refused) => assert_eq!(refused.from, from),
                }
            }
        }
        assert_eq!(
            allowed,
            [
                "pending -> confirmed",
                "pending -> cancelled",
                "confirmed -> paid",
                "confirmed -> cancelled",
                "paid -> shipped",
                "paid -> cancelled",
                "shipped -> delivered",
            ]
        );
    }

    #[test]
    fn nothing_follows_a_final_status() {
        for status in Status::ALL {
            let followed = Status::ALL.iter().any(|later| status.precedes(*later));
            assert_eq!(followed, !status.is_final(), "{status}");
        }
        assert!(Status::Pending.precedes(Status::Delivered));
        assert!(!Status::Shipped.precedes(Status::Cancelled));
        assert!(!Status::Paid.precedes(Status::Paid));
    }

    #[test]
    fn text_round_trips() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            let json = serde_json::to_value(status).expect("json");
            assert_eq!(json, status.as_str());
        }
        assert!("Paid".parse::<Status>().is_err());
    }
}
