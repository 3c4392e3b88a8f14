//! Shipments as clients see them.

use cleave_vocabulary::{OrderId, ShipmentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::{Shipment, ShipmentStatus};

/// The shipment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shipment)]
pub(crate) struct ShipmentBody {
    id: ShipmentId,
    order_id: OrderId,
    user_id: UserId,
    status: ShipmentStatus,
    /// Who carries it.
    #[schema(example = "simulated")]
    carrier: String,
    /// How the carrier knows it.
    #[schema(example = "SIM4ZN6TQ0W8XG3K9DR")]
    tracking_number: String,
    /// When the carrier picked it up; null until then.
    #[schema(required)]
    dispatched_at: Option<Timestamp>,
    /// When it arrived; null until then.
    #[schema(required)]
    delivered_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Which shipments to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only the shipment of this order.
    #[param(value_type = Option<String>)]
    pub(crate) order_id: Option<OrderId>,
}

impl From<Shipment> for ShipmentBody {
    fn from(shipment: Shipment) -> Self {
        Self {
            id: shipment.id,
            order_id: shipment.order_id,
            user_id: shipment.user_id,
            status: shipment.status,
            carrier: shipment.carrier,
            tracking_number: shipment.tracking_number,
            dispatched_at: shipment.dispatched_at,
            delivered_at: shipment.delivered_at,
            version: shipment.version,
            created_at: shipment.created_at,
            updated_at: shipment.updated_at,
        }
    }
}
