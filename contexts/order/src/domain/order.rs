//! The order: what was bought, where it goes, and how far it has come.

use cleave_vocabulary::{Money, OrderId, PaymentId, ShipmentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{Cancellation, Line, PricedBasket, Status};

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) line1: String,
    pub(crate) line2: Option<String>,
    pub(crate) city: String,
    pub(crate) postal_code: String,
    pub(crate) country: String,
}

/// The payment, as far as it has been heard of here. Its status is the payment
/// context's word, passed on and never judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaymentOfOrder {
    pub(crate) id: PaymentId,
    pub(crate) status: String,
}

/// The shipment, as far as it has been heard of here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShipmentOfOrder {
    pub(crate) id: ShipmentId,
    pub(crate) status: String,
    pub(crate) tracking_number: Option<String>,
}

/// What its owner may do with an order as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AllowedAction {
    /// Call it off.
    Cancel,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) status: Status,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Money,
    pub(crate) payment_method: String,
    pub(crate) shipping_address: Address,
    pub(crate) payment: Option<PaymentOfOrder>,
    pub(crate) shipment: Option<ShipmentOfOrder>,
    /// Asked for while the status says otherwise; carried out once it is `cancelled`.
    pub(crate) cancellation: Option<Cancellation>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// The order has come too far to be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCancellable {
    pub(crate) status: Status,
}

impl Order {
    /// A new order for a priced basket.
    pub(crate) fn place(
        id: OrderId,
        user_id: UserId,
        basket: PricedBasket,
        payment_method: String,
        shipping_address: Address,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            user_id,
            status: Status::Pending,
            lines: basket.lines,
            total: basket.total,
            payment_method,
            shipping_address,
            payment: None,
            shipment: None,
            cancellation: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// What may be done with it as it stands.
    pub(crate) fn allowed_actions(&self) -> Vec<AllowedAction> {
        let cancellable = self.cancellation.is_none() && self.check_cancellable().is_ok();
        cancellable
            .then_some(AllowedAction::Cancel)
            .into_iter()
            .collect()
    }

    /// Orders are called off before they are paid; later ones are refunded and
    /// sent back, which is not this.
    pub(crate) fn check_cancellable(&self) -> Result<(), NotCancellable> {
        match self.status {
            Status::Pending | Status::Confirmed => Ok(()),
            status => Err(NotCancellable { status }),
        }
    }

    /// Nothing will happen to it but what the carrier does: it is cancelled, or
    /// paid and with a shipment on its way.
    pub(crate) fn is_settled(&self) -> bool {
        match self.status {
            Status::Pending | Status::Confirmed => false,
            Status::Paid => self.shipment.is_some(),
            Status::Shipped | Status::Delivered | Status::Cancelled => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use cleave_vocabulary::{Currency, Id};
    use uuid::Uuid;

    use super::*;
    use crate::domain::CancellationReason;

    fn order(status: Status) -> Order {
        let basket = PricedBasket {
            lines: Vec::new(),
            total: Money::zero(Currency::GBP),
        };
        let address = Address {
            name: "A. Buyer".to_owned(),
            line1: "1 High Street".to_owned(),
            line2: None,
            city: "Leeds".to_owned(),
            postal_code: "LS1 1AA".to_owned(),
            country: "GB".to_owned(),
        };
        let (id, user) = (Id::from_uuid(Uuid::nil()), Id::from_uuid(Uuid::nil()));
        let method = "pm_card_visa".to_owned();
        let placed = Order::place(id, user, basket, method, address, Timestamp::EPOCH);
        Order { status, ..placed }
    }

    #[test]
    fn an_order_can_be_called_off_until_it_is_paid() {
        for status in Status::ALL {
            let order = order(status);
            let before_paid = matches!(status, Status::Pending | Status::Confirmed);
            assert_eq!(order.check_cancellable().is_ok(), before_paid, "{status}");
            assert_eq!(order.allowed_actions().is_empty(), !before_paid, "{status}");
        }
    }

    #[test]
    fn what_is_being_called_off_offers_no_action() {
        let reason = CancellationReason::CancelledByCustomer;
        let order = Order {
            cancellation: Some(Cancellation::because(reason)),
            ..order(Status::Confirmed)
        };
        assert_eq!(order.allowed_actions(), []);
    }

    #[test]
    fn a_paid_order_is_settled_once_its_shipment_is_booked() {
        let settled: Vec<_> = Status::ALL
            .into_iter()
            .filter(|status| order(*status).is_settled())
            .collect();
        assert_eq!(
            settled,
            [Status::Shipped, Status::Delivered, Status::Cancelled]
        );
        let booked = Order {
            shipment: Some(ShipmentOfOrder {
                id: Id::from_uuid(Uuid::nil()),
                status: "scheduled".to_owned(),
                tracking_number: None,
            }),
            ..order(Status::Paid)
        };
        assert!(booked.is_settled());
    }
}
