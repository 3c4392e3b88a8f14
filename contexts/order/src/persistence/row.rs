//! The row of an order, and the way from and to it.

use cleave_vocabulary::{Id, Money, Timestamp};
use sea_orm::entity::prelude::*;

use super::corrupt;
use crate::domain::{Cancellation, Order, PaymentOfOrder, ShipmentOfOrder};

/// A row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) status: String,
    pub(super) items: String,
    pub(super) total_amount: i64,
    pub(super) currency: String,
    pub(super) payment_method: String,
    pub(super) shipping_address: String,
    payment_id: Option<Uuid>,
    payment_status: Option<String>,
    shipment_id: Option<Uuid>,
    shipment_status: Option<String>,
    tracking_number: Option<String>,
    cancel_reason: Option<String>,
    cancel_detail: Option<String>,
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) type OrderRow = Model;

impl Model {
    /// The row of a new order.
    pub(crate) fn of(order: &Order) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: order.id.uuid(),
            user_id: order.user_id.uuid(),
            status: order.status.as_str().to_owned(),
            items: serde_json::to_string(&order.lines)?,
            total_amount: order.total.amount,
            currency: order.total.currency.code().to_owned(),
            payment_method: order.payment_method.clone(),
            shipping_address: serde_json::to_string(&order.shipping_address)?,
            payment_id: order.payment.as_ref().map(|payment| payment.id.uuid()),
            payment_status: order.payment.as_ref().map(|it| it.status.clone()),
            shipment_id: order.shipment.as_ref().map(|shipment| shipment.id.uuid()),
            shipment_status: order.shipment.as_ref().map(|it| it.status.clone()),
            tracking_number: order
                .shipment
                .as_ref()
                .and_then(|shipment| shipment.tracking_number.clone()),
            cancel_reason: order
                .cancellation
                .as_ref()
                .map(|it| it.reason.as_str().to_owned()),
            cancel_detail: order.cancellation.as_ref().and_then(|it| it.detail.clone()),
            version: order.version,
            created_at: order.created_at.as_micros(),
            updated_at: order.updated_at.as_micros(),
        })
    }
}

impl TryFrom<Model> for Order {
    type Error = DbErr;

    fn try_from(row: Model) -> Result<Self, DbErr> {
        let of_row = |why: String| corrupt(&format!("order {}", row.id), why);
        let of_json = |why: serde_json::Error| of_row(why.to_string());
        let reason = row.cancel_reason.as_deref().map(str::parse).transpose();
        let currency = row
            .currency
            .parse()
            .map_err(|_| of_row(row.currency.clone()))?;
        Ok(Self {
            id: Id::from_uuid(row.id),
            user_id: Id::from_uuid(row.user_id),
            status: row.status.parse().map_err(of_row)?,
            lines: serde_json::from_str(&row.items).map_err(of_json)?,
            total: Money::new(row.total_amount, currency),
            payment_method: row.payment_method,
            shipping_address: serde_json::from_str(&row.shipping_address).map_err(of_json)?,
            payment: row.payment_id.map(|id| PaymentOfOrder {
                id: Id::from_uuid(id),
                status: row.payment_status.unwrap_or_default(),
            }),
            shipment: row.shipment_id.map(|id| ShipmentOfOrder {
                id: Id::from_uuid(id),
                status: row.shipment_status.unwrap_or_default(),
                tracking_number: row.tracking_number,
            }),
            cancellation: reason.map_err(of_row)?.map(|reason| Cancellation {
                reason,
                detail: row.cancel_detail,
            }),
            version: row.version,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    }
}
