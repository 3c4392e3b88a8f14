//! Counts what must hold of shipments, a page at a time, so that neither its
//! memory nor a transaction grows with them.

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Violation};
use cleave_store::Unit;
use cleave_vocabulary::{OrderId, PortError, ShipmentId};
use sea_orm::DbErr;

use super::{Shipping, failure};
use crate::domain::Slot;
use crate::persistence::shipments;

/// Rows looked at together.
const PAGE: u64 = 500;
/// Violations that are named; the rest only show that there are more.
const NAMED: usize = 100;

#[async_trait]
impl Auditor for Shipping {
    async fn audit(&self) -> Audited {
        let statuses = self.statuses().await?;
        let twice = self.orders_shipped_twice(statuses.checked).await?;
        Ok(vec![twice, statuses])
    }
}

impl Shipping {
    async fn statuses(&self) -> Result<AuditCheck, PortError> {
        let mut check = check("shipment_status_agrees_with_its_times");
        let mut place: Option<ShipmentId> = None;
        loop {
            let page: Unit<Vec<(ShipmentId, Result<Slot, DbErr>)>> = self
                .store
                .read(async move |tx| Ok(shipments::after(tx, place, PAGE).await?))
                .await;
            let page = page.map_err(|error| failure(error.into_store_error()))?;
            let Some((last, _)) = page.last() else {
                return Ok(check);
            };
            place = Some(*last);
            for (id, slot) in page {
                check.checked += 1;
                if let Some(detail) = wrong(slot) {
                    name(&mut check, &id, detail);
                }
            }
        }
    }

    async fn orders_shipped_twice(&self, checked: u64) -> Result<AuditCheck, PortError> {
        let twice: Unit<Vec<OrderId>> = self
            .store
            .read(async move |tx| Ok(shipments::shipped_twice(tx).await?))
            .await;
        let mut check = check("an_order_is_shipped_once");
        check.checked = checked;
        for order in twice.map_err(|error| failure(error.into_store_error()))? {
            name(
                &mut check,
                &order,
                "it has more than one live shipment".to_owned(),
            );
        }
        Ok(check)
    }
}

fn wrong(slot: Result<Slot, DbErr>) -> Option<String> {
    match slot {
        Ok(Slot::Booked(shipment)) => shipment.misdated().map(str::to_owned),
        Ok(Slot::Void | Slot::Refused(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}

fn check(name: &str) -> AuditCheck {
    AuditCheck {
        name: name.to_owned(),
        checked: 0,
        violations: Vec::new(),
    }
}

fn name(check: &mut AuditCheck, subject: &dyn std::fmt::Display, detail: String) {
    if check.violations.len() < NAMED {
        let subject = subject.to_string();
        check.violations.push(Violation { subject, detail });
    }
}
