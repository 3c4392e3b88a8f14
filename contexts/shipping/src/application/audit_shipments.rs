//! Counts what must hold of shipments, a page at a time, so that neither its
//! memory nor a transaction grows with them.

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_store::Unit;
use cleave_vocabulary::{OrderId, PortError, ShipmentId};
use sea_orm::DbErr;

use super::{Shipping, failure};
use crate::domain::{ShipmentStatus, Slot};
use crate::persistence::shipments::{self, Walked};

/// Rows looked at together.
const PAGE: u64 = 500;

#[async_trait]
impl Auditor for Shipping {
    async fn count(&self, seen: &Seen) -> Audited {
        let mut once = AuditCheck::named("an_order_is_shipped_once");
        let mut statuses = AuditCheck::named("shipment_status_agrees_with_its_times");
        let mut place = None;
        // The order whose live shipment was seen last: another one follows at once.
        let mut shipped = None;
        loop {
            let page = self.page_after(place).await?;
            let Some(last) = page.last() else { break };
            place = Some((last.order, last.id));
            seen.add(page.len());
            for row in page {
                let again = is_live(&row.slot) && shipped.replace(row.order) == Some(row.order);
                let twice = again.then(|| "it has more than one live shipment".to_owned());
                once.see(&row.order, twice);
                statuses.see(&row.id, wrong(row.slot));
            }
        }
        Ok(vec![once, statuses])
    }
}

impl Shipping {
    async fn page_after(
        &self,
        place: Option<(OrderId, ShipmentId)>,
    ) -> Result<Vec<Walked>, PortError> {
        let page: Unit<_> = self
            .store
            .read(async move |tx| Ok(shipments::after(tx, place, PAGE).await?))
            .await;
        page.map_err(|error| failure(error.into_store_error()).into())
    }
}

fn is_live(slot: &Result<Slot, DbErr>) -> bool {
    matches!(slot, Ok(Slot::Booked(shipment)) if shipment.status != ShipmentStatus::Cancelled)
}

fn wrong(slot: Result<Slot, DbErr>) -> Option<String> {
    match slot {
        Ok(Slot::Booked(shipment)) => shipment.misdated().map(str::to_owned),
        Ok(Slot::Void | Slot::Refused(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}
