//! Calling an order off. What was done for it is undone by its saga, in
//! reverse; this asks for that and waits a while for it to be over.

use std::sync::Arc;

use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::OrderId;
use cleave_web::{Answer, Caller, Once, Problem};

use super::{Keyed, Orders};
use crate::domain::{Cancellation, CancellationReason, NotCancellable, Order, Status};
use crate::persistence as rows;

/// Who calls which order off, and why in their words.
pub(crate) struct CancelOrder {
    pub(crate) order: OrderId,
    pub(crate) caller: Caller,
    pub(crate) detail: Option<String>,
}

/// Why it was not called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelRefusal {
    /// There is no such order, or it is somebody else's.
    NotFound,
    /// It has come too far.
    NotCancellable(Status),
}

impl From<NotCancellable> for CancelRefusal {
    fn from(refusal: NotCancellable) -> Self {
        Self::NotCancellable(refusal.status)
    }
}

impl Orders {
    /// Asks for the order to be undone, once for the request's idempotency key.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        wanted: CancelOrder,
        keyed: Keyed<'_>,
        answer: impl Fn(&Order) -> Answer + Send + 'static,
    ) -> Result<Once, Problem> {
        let desk = self.clone();
        let unit = async move |tx: &Tx| {
            let order = desk.request(tx, &wanted).await?;
            Ok(answer(&order))
        };
        self.idempotency.once(keyed.scope, keyed.digest, unit).await
    }

    async fn request(&self, tx: &Tx, wanted: &CancelOrder) -> Unit<Order, CancelRefusal> {
        let CancelOrder {
            order: id,
            caller,
            detail,
        } = wanted;
        let order = rows::find(tx, *id).await?;
        let order = order
            .filter(|order| caller.may_see(order.user_id))
            .ok_or(UnitError::Refused(CancelRefusal::NotFound))?;
        order
            .check_cancellable()
            .map_err(|refusal| UnitError::Refused(refusal.into()))?;
        let reason = if caller.user == order.user_id {
            CancellationReason::CancelledByCustomer
        } else {
            CancellationReason::CancelledByOperator
        };
        // False where the saga is turning back already, for this reason or
        // another: the order is being undone, which is what is asked for.
        let turned = self
            .engine
            .cancel(tx, &id.to_string(), reason.as_str())
            .await?;
        if turned {
            let wanted = Cancellation {
                reason,
                detail: detail.clone(),
            };
            rows::request_cancellation(tx, *id, &wanted, self.clock.now()).await?;
        }
        self.news.wake(tx, *id);
        Ok(order)
    }
}
