//! Shipments as they are read: one, a page of them, and what other contexts ask.

use cleave_shipping_contract::port::{ShipmentStanding, Shipments};
use cleave_store::Unit;
use cleave_vocabulary::{OrderId, ShipmentId, UserId};

use super::Shipping;
use crate::domain::Shipment;
use crate::persistence::shipments;

/// Orders looked up with one statement.
const CHUNK: usize = 500;

/// Which shipments are wanted; see [`shipments::Filter`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) owner: Option<UserId>,
    pub(crate) order: Option<OrderId>,
    pub(crate) before: Option<ShipmentId>,
    pub(crate) limit: u64,
}

impl Shipping {
    /// One shipment.
    pub(crate) async fn find(&self, id: ShipmentId) -> Unit<Option<Shipment>> {
        self.store
            .read(async move |tx| Ok(shipments::by_id(tx, id).await?))
            .await
    }

    /// The newest shipments that are wanted.
    pub(crate) async fn list(&self, wanted: Wanted) -> Unit<Vec<Shipment>> {
        let filter = shipments::Filter {
            owner: wanted.owner,
            order: wanted.order,
            before: wanted.before,
        };
        self.store
            .read(async move |tx| Ok(shipments::list(tx, filter, wanted.limit).await?))
            .await
    }

    /// How the shipments of these orders stand, over one snapshot.
    pub(crate) async fn standings(&self, orders: Vec<OrderId>) -> Unit<Shipments> {
        self.store
            .read(async move |tx| {
                let mut items = Vec::with_capacity(orders.len());
                for chunk in orders.chunks(CHUNK) {
                    items.extend(shipments::of_orders(tx, chunk).await?.iter().map(standing));
                }
                Ok(Shipments { items })
            })
            .await
    }
}

fn standing(shipment: &Shipment) -> ShipmentStanding {
    ShipmentStanding {
        order_id: shipment.order_id,
        shipment_id: shipment.id,
        status: shipment.status.as_str().to_owned(),
    }
}
