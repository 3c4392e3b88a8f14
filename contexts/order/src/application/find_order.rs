//! One order, as it is at this moment.

use cleave_store::Unit;
use cleave_vocabulary::OrderId;
use cleave_web::Caller;

use super::Orders;
use crate::domain::Order;
use crate::persistence as rows;

impl Orders {
    /// The order, where there is one that the caller may see.
    pub(crate) async fn find(&self, caller: &Caller, id: OrderId) -> Unit<Option<Order>> {
        let order = self
            .store
            .read(async move |tx| Ok(rows::find(tx, id).await?))
            .await?;
        Ok(order.filter(|order| caller.may_see(order.user_id)))
    }
}
