//! Counts what must hold of money: within our own books, and between ours and
//! the gateway's. It walks both a page at a time, so that neither its memory nor
//! a transaction grows with them; a payment that moves while the two are
//! compared is left out, because only a quiet one can be judged.

use async_trait::async_trait;
use cleave_hosting::{AuditCheck, Audited, Auditor, Seen};
use cleave_store::Unit;
use cleave_vocabulary::{PaymentId, PortError};

use super::find_payments::{PaymentDetails, details};
use super::{Payments, failure};
use crate::domain::{Payment, PaymentStatus, RefundStatus};
use crate::gateway::BookEntry;
use crate::persistence::payments;

/// Payments, or entries of the gateway, looked at together.
const PAGE: u64 = 500;

#[async_trait]
impl Auditor for Payments {
    async fn count(&self, seen: &Seen) -> Audited {
        let mut limits = AuditCheck::named("no_more_is_refunded_than_charged");
        let mut statuses = AuditCheck::named("payment_status_agrees_with_transactions");
        let mut books = AuditCheck::named("payments_agree_with_the_gateway");
        let mut place = None;
        loop {
            let page = self.page_after(place).await?;
            let Some(last) = page.last() else { break };
            place = Some(last.payment.id);
            seen.add(page.len());
            for details in &page {
                let payment = &details.payment;
                limits.see(&payment.id, over_refunded(payment));
                statuses.see(&payment.id, misnamed(details));
            }
            self.compare(&mut books, &page).await?;
        }
        let charges = self.charges_of_the_gateway(seen).await?;
        Ok(vec![limits, statuses, books, charges])
    }
}

impl Payments {
    async fn page_after(&self, place: Option<PaymentId>) -> Result<Vec<PaymentDetails>, PortError> {
        let page: Unit<_> = self
            .store
            .read(async move |tx| {
                let found = payments::after(tx, place, PAGE).await?;
                Ok(details(tx, found).await?)
            })
            .await;
        page.map_err(|error| failure(error.into_store_error()).into())
    }

    /// Money that we took or gave back, the gateway took and gave back as well.
    async fn compare(
        &self,
        check: &mut AuditCheck,
        page: &[PaymentDetails],
    ) -> Result<(), PortError> {
        let ours = page.iter().map(|details| &details.payment);
        let keys: Vec<String> = ours.clone().map(|ours| ours.charge_key.clone()).collect();
        let theirs = self.gateway.unguarded().taken(&keys).await?;
        for ours in ours {
            let entry = theirs.iter().find(|entry| entry.key == ours.charge_key);
            let found = match disagreement(ours, entry) {
                Some(detail) if self.is_quiet(ours).await? => Some(detail),
                _ => None,
            };
            check.see(&ours.id, found);
        }
        Ok(())
    }

    /// Every charge in the gateway's books is one of ours, and no failed one.
    async fn charges_of_the_gateway(&self, seen: &Seen) -> Result<AuditCheck, PortError> {
        let mut check = AuditCheck::named("each_key_is_charged_once");
        let mut place: Option<String> = None;
        loop {
            let gateway = self.gateway.unguarded();
            let page = gateway.taken_after(place.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            place = Some(last.reference.clone());
            seen.add(page.len());
            let keys: Vec<String> = page.iter().map(|entry| entry.key.clone()).collect();
            let ours: Unit<Vec<Payment>> = self
                .store
                .read(async move |tx| Ok(payments::with_keys(tx, &keys).await?))
                .await;
            let ours = ours.map_err(|error| failure(error.into_store_error()))?;
            for entry in &page {
                let payment = ours.iter().find(|payment| payment.charge_key == entry.key);
                check.see(&entry.reference, unaccounted(entry, payment));
            }
        }
        Ok(check)
    }

    /// Whether the payment is still as it was read.
    async fn is_quiet(&self, payment: &Payment) -> Result<bool, PortError> {
        let now = self.find(payment.id).await;
        let now = now.map_err(|error| failure(error.into_store_error()))?;
        Ok(now.is_some_and(|now| now.payment.version == payment.version))
    }
}

fn over_refunded(payment: &Payment) -> Option<String> {
    let given = payment.refunded.amount + payment.refunding.amount;
    let taken = if payment.status.took_money() {
        payment.amount.amount
    } else {
        0
    };
    (given > taken).then(|| format!("{given} given back or promised of {taken}"))
}

fn misnamed(details: &PaymentDetails) -> Option<String> {
    let payment = &details.payment;
    let sum = |status| -> i64 {
        let such = details
            .refunds
            .iter()
            .filter(|refund| refund.status == status);
        such.map(|refund| refund.amount.amount).sum()
    };
    let (completed, pending) = (sum(RefundStatus::Completed), sum(RefundStatus::Pending));
    if completed != payment.refunded.amount || pending != payment.refunding.amount {
        return Some(format!(
            "its refunds come to {completed} and {pending} promised, the payment says {} and {}",
            payment.refunded.amount, payment.refunding.amount
        ));
    }
    if payment.status.took_money() != payment.gateway_reference.is_some()
        || (payment.status == PaymentStatus::Failed) != payment.failure.is_some()
    {
        return Some(format!(
            "its charge does not make it {}",
            payment.status.as_str()
        ));
    }
    let named = match completed {
        _ if !payment.status.took_money() => payment.status,
        0 => PaymentStatus::Completed,
        all if all == payment.amount.amount => PaymentStatus::Refunded,
        _ => PaymentStatus::PartiallyRefunded,
    };
    (named != payment.status).then(|| {
        let (is, should) = (payment.status.as_str(), named.as_str());
        format!("it is {is} and should be {should}")
    })
}

fn disagreement(ours: &Payment, theirs: Option<&BookEntry>) -> Option<String> {
    if !ours.status.took_money() {
        return None;
    }
    let Some(theirs) = theirs else {
        return Some("the gateway knows no such charge".to_owned());
    };
    if theirs.amount != ours.amount {
        return Some(format!(
            "{} here, {} at the gateway",
            ours.amount, theirs.amount
        ));
    }
    let least = ours.refunded.amount;
    let most = least + ours.refunding.amount;
    let given = theirs.refunded.amount;
    (given < least || given > most)
        .then(|| format!("{least} to {most} given back here, {given} at the gateway"))
}

fn unaccounted(entry: &BookEntry, ours: Option<&Payment>) -> Option<String> {
    match ours {
        None => Some(format!("no payment has the key {}", entry.key)),
        Some(ours) if ours.status == PaymentStatus::Failed && entry.refunded != entry.amount => {
            Some(format!(
                "the gateway keeps the money of {}, which failed",
                ours.id
            ))
        }
        Some(_) => None,
    }
}
