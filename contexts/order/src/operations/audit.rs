//! The invariants of orders, counted over the live data, a page at a time.
//! Those that span contexts are asked of them through their ports. An order
//! that moved while it was looked at proves nothing, so what seems to break an
//! invariant counts only if the order is still as it was when it was read.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited as Outcome, Auditor, Seen};
use cleave_inventory_contract::port::{GetHoldings, HoldingState, InventoryPort};
use cleave_payment_contract::port::{GetStatements, PaymentPort, Statement};
use cleave_saga::Engine;
use cleave_store::{Store, UnitError};
use cleave_vocabulary::{
    CallContext, Clock, Failure, FailureKind, IdSource, Money, OrderId, PortError,
};

use crate::domain::Status;
use crate::messaging::ReadModel;
use crate::persistence::{self as rows, Audited};

/// Orders looked at together, and asked about in one call.
const PAGE: i64 = 200;

/// Rows of the read model looked at together.
const VIEWED_PAGE: i64 = 1_000;

pub(crate) struct OrderAuditor {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) inventory: Arc<dyn InventoryPort>,
    pub(crate) payment: Arc<dyn PaymentPort>,
    pub(crate) engine: Engine,
}

#[async_trait]
impl Auditor for OrderAuditor {
    async fn count(&self, seen: &Seen) -> Outcome {
        let call = CallContext::root(&*self.ids);
        let mut checks = Checks::default();
        let mut after = None;
        loop {
            let page = self.page(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.add(page.len());
            let found = self.look_at(&call, &page, &mut checks).await?;
            self.keep_what_holds(found, &mut checks).await?;
        }
        self.nobody_elses_rows(&mut checks, seen).await?;
        self.every_saga_is_owned(&mut checks).await?;
        Ok(checks.into_list())
    }
}

/// Something that seems to break an invariant.
struct Found {
    check: Check,
    order: OrderId,
    version: i64,
    /// What the read model said.
    viewed: Option<String>,
    detail: String,
}

impl OrderAuditor {
    async fn page(&self, after: Option<OrderId>) -> Result<Vec<Audited>, PortError> {
        let page = self
            .store
            .read(async move |tx| Ok(rows::audited_after(tx, after, PAGE).await?));
        page.await.map_err(broken)
    }

    async fn look_at(
        &self,
        call: &CallContext,
        page: &[Audited],
        checks: &mut Checks,
    ) -> Result<Vec<Found>, PortError> {
        let order_ids: Vec<OrderId> = page.iter().map(|order| order.id).collect();
        let statements = GetStatements {
            order_ids: order_ids.clone(),
        };
        let holdings = GetHoldings { order_ids };
        let (statements, holdings) = futures::try_join!(
            self.payment.statements(call, statements),
            self.inventory.holdings(call, holdings)
        )?;
        let statements: HashMap<OrderId, Statement> = statements
            .items
            .into_iter()
            .map(|it| (it.order_id, it))
            .collect();
        let holdings: HashMap<OrderId, HoldingState> = holdings
            .items
            .into_iter()
            .map(|it| (it.order_id, it.state))
            .collect();
        let mut found = Vec::new();
        for order in page {
            let (money, stock) = (statements.get(&order.id), holdings.get(&order.id).copied());
            for (check, broken) in checks_of(order, money, stock) {
                checks.count(check);
                found.extend(broken.map(|detail| Found {
                    check,
                    order: order.id,
                    version: order.version,
                    viewed: order.viewed.clone(),
                    detail,
                }));
            }
        }
        Ok(found)
    }

    async fn keep_what_holds(
        &self,
        found: Vec<Found>,
        checks: &mut Checks,
    ) -> Result<(), PortError> {
        for broken_by in found {
            let Found {
                check,
                order,
                version,
                viewed,
                detail,
            } = broken_by;
            let now = self.clock.now();
            let holds = self.store.read(async move |tx| {
                let same = rows::unchanged(tx, order, version).await?;
                if !same || check != Check::View {
                    return Ok(same);
                }
                // It may have heard of everything since the page was read.
                let heard = ReadModel::has_heard_of(tx, order, now).await?;
                Ok(heard && rows::viewed_as(tx, order).await? == viewed)
            });
            if holds.await.map_err(broken)? {
                checks.violated(check, &order, detail);
            }
        }
        Ok(())
    }

    async fn nobody_elses_rows(&self, checks: &mut Checks, seen: &Seen) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let page = self
                .store
                .read(async move |tx| Ok(rows::viewed_after(tx, after, VIEWED_PAGE).await?));
            let page = page.await.map_err(broken)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            seen.add(page.len());
            for (order, _) in page.iter().filter(|(_, exists)| !exists) {
                let detail = "the read model shows an order that does not exist";
                checks.violated(Check::View, order, detail.to_owned());
            }
        }
    }

    async fn every_saga_is_owned(&self, checks: &mut Checks) -> Result<(), PortError> {
        checks.count(Check::Sagas);
        for saga in self.engine.unowned().await.map_err(broken)? {
            let detail = "neither finished nor owned by anyone";
            checks.violated(Check::Sagas, &saga, detail.to_owned());
        }
        Ok(())
    }
}

fn broken(error: UnitError<std::convert::Infallible>) -> PortError {
    let error = error.into_store_error();
    Failure::clean(FailureKind::Broken, error.to_string()).into()
}

/// The invariants that one order is looked at for: each with how it is broken,
/// if it is.
fn checks_of(
    order: &Audited,
    money: Option<&Statement>,
    stock: Option<HoldingState>,
) -> Vec<(Check, Option<String>)> {
    let mut checks = vec![
        (Check::Totals, wrong_total(order)),
        (Check::Once, charged_twice(money)),
        (Check::View, wrong_view(order)),
    ];
    if order.status.is_paid_or_later() {
        checks.push((Check::Paid, wrongly_charged(order.total, money)));
    }
    if order.status == Status::Cancelled {
        checks.push((Check::Cancelled, kept_money(money)));
        checks.push((Check::Released, kept_stock(stock)));
    }
    checks
}

fn wrong_total(order: &Audited) -> Option<String> {
    let mut sum = Some(Money::zero(order.total.currency));
    for line in &order.lines {
        sum = sum.and_then(|sum| sum.checked_add(line.line_total).ok());
    }
    (sum != Some(order.total)).then(|| "its lines do not add up to its total".to_owned())
}

fn charged_twice(money: Option<&Statement>) -> Option<String> {
    let charges = money.map_or(0, |money| money.completed_charges);
    (charges > 1).then(|| format!("it was charged {charges} times"))
}

fn wrong_view(order: &Audited) -> Option<String> {
    match &order.viewed {
        Some(viewed) if viewed == order.status.as_str() => None,
        Some(viewed) => Some(format!(
            "it is {}; the read model says {viewed}",
            order.status
        )),
        None => Some("the read model does not show it".to_owned()),
    }
}

fn wrongly_charged(total: Money, money: Option<&Statement>) -> Option<String> {
    let Some(money) = money else {
        return Some("it has no payment".to_owned());
    };
    if money.completed_charges != 1 {
        return Some(format!(
            "it has {} completed charges",
            money.completed_charges
        ));
    }
    (money.charged != total).then(|| {
        let (charged, asked) = (money.charged.amount, total.amount);
        format!("{charged} was charged where {asked} was due")
    })
}

fn kept_money(money: Option<&Statement>) -> Option<String> {
    let money = money?;
    (money.charged != money.refunded).then(|| {
        let (charged, refunded) = (money.charged.amount, money.refunded.amount);
        format!("{charged} was charged and {refunded} given back")
    })
}

fn kept_stock(stock: Option<HoldingState>) -> Option<String> {
    match stock? {
        HoldingState::Held => Some("stock is still held for it".to_owned()),
        HoldingState::Taken => Some("stock was taken for it and not given back".to_owned()),
        HoldingState::Released | HoldingState::Expired => None,
    }
}

/// The invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Paid,
    Once,
    Cancelled,
    Released,
    Totals,
    View,
    Sagas,
}

impl Check {
    const ALL: [Self; 7] = [
        Self::Paid,
        Self::Once,
        Self::Cancelled,
        Self::Released,
        Self::Totals,
        Self::View,
        Self::Sagas,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid_orders_have_exactly_one_charge_of_their_total",
            Self::Once => "no_order_is_charged_twice",
            Self::Cancelled => "cancelled_orders_net_to_zero",
            Self::Released => "cancelled_orders_hold_no_stock",
            Self::Totals => "order_totals_are_the_sum_of_their_lines",
            Self::View => "order_read_model_agrees_with_orders",
            Self::Sagas => "sagas_are_finished_or_owned",
        }
    }
}

/// What was counted so far.
struct Checks([AuditCheck; Check::ALL.len()]);

impl Default for Checks {
    fn default() -> Self {
        Self(Check::ALL.map(|check| AuditCheck::named(check.name())))
    }
}

impl Checks {
    fn count(&mut self, check: Check) {
        self.0[check as usize].checked += 1;
    }

    fn violated(&mut self, check: Check, subject: &dyn Display, detail: String) {
        self.0[check as usize].violated(subject, detail);
    }

    fn into_list(self) -> Vec<AuditCheck> {
        self.0.into()
    }
}
