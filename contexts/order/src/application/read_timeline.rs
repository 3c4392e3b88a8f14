//! The whole story of an order, as it happened.

use cleave_store::Unit;
use cleave_vocabulary::OrderId;
use cleave_web::Caller;

use super::{Orders, story};
use crate::domain::timeline::{Cursor, Item, as_it_happened};
use crate::persistence as rows;

impl Orders {
    /// The timeline, where there is an order that the caller may see.
    pub(crate) async fn timeline(&self, caller: &Caller, id: OrderId) -> Unit<Option<Vec<Item>>> {
        let caller = caller.clone();
        let sources = self
            .store
            .read(async move |tx| {
                let order = rows::find(tx, id).await?;
                if !order.is_some_and(|order| caller.may_see(order.user_id)) {
                    return Ok(None);
                }
                story::sources_behind(tx, id, Cursor::default())
                    .await
                    .map(Some)
            })
            .await?;
        Ok(sources.map(as_it_happened))
    }
}
