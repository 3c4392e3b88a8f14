//! Lists of orders, from the read model.

use cleave_store::Unit;
use cleave_vocabulary::OrderId;
use cleave_web::Caller;

use super::Orders;
use crate::domain::{Order, Status};
use crate::persistence::{self as rows, Wanted};

/// Which orders to list.
pub(crate) struct ListOrders {
    /// Of this status only.
    pub(crate) status: Option<Status>,
    /// Older than this one.
    pub(crate) before: Option<OrderId>,
    /// At most so many.
    pub(crate) limit: u64,
}

impl Orders {
    /// The caller's orders, or an admin's view of everybody's, newest first. What
    /// the caller did a moment ago is among them.
    pub(crate) async fn list(&self, caller: &Caller, wanted: &ListOrders) -> Unit<Vec<Order>> {
        let user = (!caller.is_admin()).then_some(caller.user);
        self.news
            .freshness
            .caught_up(user, self.settings.list_freshness)
            .await;
        let wanted = Wanted {
            user,
            status: wanted.status,
            before: wanted.before,
            limit: wanted.limit,
        };
        self.store
            .read(async move |tx| Ok(rows::list(tx, wanted).await?))
            .await
    }
}
