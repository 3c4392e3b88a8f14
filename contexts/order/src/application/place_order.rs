//! Placing an order. Prices and stock come from the catalogue at this moment;
//! the order, its event, its saga and the idempotency key's outcome are one
//! commit. From there on fulfilment goes its own way, whoever goes on waiting.

use std::sync::Arc;

use cleave_inventory_contract::port::{GetQuote, QuotedProduct, StockLine};
use cleave_order_contract::events::{OrderCreated, OrderedItem, ShippingAddress};
use cleave_payment_contract::port::SupportsMethod;
use cleave_saga::Begin;
use cleave_store::{Tx, Unit, UnitError};
use cleave_vocabulary::{CallContext, Envelope, OrderId, PortError, ProductId, SagaId, UserId};
use cleave_web::{Answer, Once, Problem};

use super::{About, Keyed, Orders};
use crate::domain::{Address, Basket, BasketRefusal, Line, Offer, Order, PricedBasket, Status};
use crate::fulfilment::{FulfilOrderV1, OrderToFulfil, key_of_creation};
use crate::live::Attention;
use crate::persistence::{self as rows, OrderRow};

/// What someone wants to buy, how they pay, and where it goes.
pub(crate) struct PlaceOrder {
    pub(crate) items: Vec<(ProductId, u32)>,
    pub(crate) payment_method: String,
    pub(crate) shipping_address: Address,
}

/// Why an order was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlacementRefusal {
    /// The basket cannot become an order.
    Basket(BasketRefusal),
    /// Nobody can be charged with that.
    UnsupportedPaymentMethod,
}

impl From<BasketRefusal> for PlacementRefusal {
    fn from(refusal: BasketRefusal) -> Self {
        Self::Basket(refusal)
    }
}

/// How placing it ended.
pub(crate) struct Placed {
    /// The outcome, now or as it was the first time.
    pub(crate) outcome: Once,
    /// Held since before the order was there, so that no news of it is missed.
    pub(crate) attention: Option<(OrderId, Attention)>,
}

/// All that the unit of work writes, made before it begins.
struct Draft {
    row: OrderRow,
    event: Envelope,
    saga: SagaId,
    fulfil: OrderToFulfil,
    call: CallContext,
    about: About,
    answer: Answer,
}

impl Orders {
    /// Places an order for `user`, once for the request's idempotency key.
    pub(crate) async fn place(
        self: &Arc<Self>,
        call: &CallContext,
        user: UserId,
        wanted: PlaceOrder,
        keyed: Keyed<'_>,
        answer: impl Fn(&Order) -> Answer,
    ) -> Result<Placed, Problem> {
        let priced = match self.price(call, &wanted).await {
            Ok(priced) => priced,
            Err(failure) => {
                // The first outcome holds even while those who were asked for it are away.
                let recorded = self.idempotency.recorded(keyed.scope, keyed.digest).await?;
                let outcome = recorded.ok_or_else(|| Problem::from(failure))?;
                return Ok(Placed {
                    outcome,
                    attention: None,
                });
            }
        };
        let draft = match priced {
            Ok(basket) => Ok(self.draft(call, user, basket, wanted, answer)?),
            Err(refusal) => Err(refusal),
        };
        let attention = draft.as_ref().ok().map(|draft| {
            let order = draft.about.order;
            (order, self.news.wakeups.attend(order))
        });
        let desk = self.clone();
        // A refusal goes the same way, so that its key remembers it, too.
        let unit = async move |tx: &Tx| match &draft {
            Ok(draft) => desk.write(tx, draft).await,
            Err(refusal) => Err(UnitError::Refused(refusal.clone())),
        };
        let outcome = self
            .idempotency
            .once(keyed.scope, keyed.digest, unit)
            .await?;
        Ok(Placed { outcome, attention })
    }

    /// Asks for prices and stock, and whether the payment method is one. Only
    /// the first must be answered: a method that is none is declined later.
    async fn price(
        &self,
        call: &CallContext,
        wanted: &PlaceOrder,
    ) -> Result<Result<PricedBasket, PlacementRefusal>, PortError> {
        let basket = match Basket::of(&wanted.items, self.settings.max_lines) {
            Ok(basket) => basket,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let quote = GetQuote {
            product_ids: basket.products(),
        };
        let method = SupportsMethod {
            payment_method: wanted.payment_method.clone(),
        };
        let (quote, supported) = futures::join!(
            self.inventory.quote(call, quote),
            self.payment.supports(call, method)
        );
        if supported.is_ok_and(|answer| !answer.supported) {
            return Ok(Err(PlacementRefusal::UnsupportedPaymentMethod));
        }
        let offers: Vec<Offer> = quote?.products.into_iter().map(Offer::from).collect();
        Ok(basket.price(&offers).map_err(PlacementRefusal::from))
    }

    fn draft(
        &self,
        call: &CallContext,
        user: UserId,
        basket: PricedBasket,
        wanted: PlaceOrder,
        answer: impl Fn(&Order) -> Answer,
    ) -> Result<Draft, Problem> {
        let (id, now) = (self.ids.next(), self.clock.now());
        let PlaceOrder {
            payment_method,
            shipping_address,
            ..
        } = wanted;
        let order = Order::place(id, user, basket, payment_method, shipping_address, now);
        let (about, saga) = (About { order: id, user }, self.ids.next());
        let cause = call.clone().caused_by(key_of_creation(saga));
        Ok(Draft {
            row: OrderRow::of(&order).map_err(|error| Problem::internal(&error))?,
            event: self.news.event(&cause, &created(&order)),
            saga,
            fulfil: to_fulfil(&order),
            call: call.clone(),
            about,
            answer: answer(&order),
        })
    }

    async fn write(&self, tx: &Tx, draft: &Draft) -> Unit<Answer, PlacementRefusal> {
        rows::insert(tx, &draft.row).await?;
        let begin = Begin {
            id: draft.saga,
            subject: draft.event.subject.clone(),
            data: draft.fulfil.clone(),
            call: draft.call.clone(),
            // The order itself, in this commit.
            done_steps: 1,
        };
        self.engine.begin::<FulfilOrderV1>(tx, begin).await?;
        self.news
            .publish(tx, &draft.event, draft.about, Status::Pending)
            .await?;
        Ok(draft.answer.clone())
    }
}

impl From<QuotedProduct> for Offer {
    fn from(quoted: QuotedProduct) -> Self {
        Self {
            product_id: quoted.product_id,
            sku: quoted.sku,
            name: quoted.name,
            unit_price: quoted.unit_price,
            available: quoted.available,
        }
    }
}

fn created(order: &Order) -> OrderCreated {
    let address = order.shipping_address.clone();
    OrderCreated {
        order_id: order.id,
        user_id: order.user_id,
        items: order.lines.iter().map(ordered).collect(),
        total: order.total,
        payment_method: order.payment_method.clone(),
        shipping_address: ShippingAddress {
            name: address.name,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            postal_code: address.postal_code,
            country: address.country,
        },
        created_at: order.created_at,
    }
}

fn ordered(line: &Line) -> OrderedItem {
    OrderedItem {
        product_id: line.product_id,
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        line_total: line.line_total,
    }
}

fn to_fulfil(order: &Order) -> OrderToFulfil {
    OrderToFulfil {
        order_id: order.id,
        user_id: order.user_id,
        lines: order
            .lines
            .iter()
            .map(|line| StockLine {
                product_id: line.product_id,
                quantity: line.quantity,
            })
            .collect(),
        total: order.total,
        payment_method: order.payment_method.clone(),
        address: order.shipping_address.clone(),
        refused: None,
    }
}
