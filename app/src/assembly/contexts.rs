//! The contexts that the topology places in this process, each built from its
//! settings, its store and the ports that it calls: the implementation itself
//! where that is here, a client where it is not.

use std::sync::Arc;

use cleave_hosting::Needs;
use cleave_inventory_contract::port::{Client as InventoryClient, InventoryPort};
use cleave_messaging::EventBus;
use cleave_payment_contract::port::{Client as PaymentClient, PaymentPort};
use cleave_seam::Endpoint;
use cleave_shipping_contract::port::{Client as ShippingClient, ShippingPort};
use cleave_store::Store;
use cleave_user_contract::port::{Client as UserClient, Guarded as GuardedUsers, UserPort};

use super::stores::Stores;
use super::{Assembly, Guards, StartError, World};
use crate::settings::Settings;
use crate::topology::{GATEWAY, Links, Topology};

/// What the contexts are built from.
pub(super) struct Ground<'a> {
    pub(super) settings: &'a Settings,
    pub(super) world: &'a World,
    pub(super) topology: Topology,
    pub(super) links: Option<Links>,
    pub(super) bus: Arc<dyn EventBus>,
}

impl Ground<'_> {
    fn needs(&self, store: Store) -> Needs {
        Needs {
            store,
            clock: self.world.clock.clone(),
            ids: self.world.ids.clone(),
            idempotency: self.settings.http.idempotency.clone(),
        }
    }

    /// The way to a context that is not here.
    fn endpoint(&self, caller: &str, context: &'static str) -> Result<Endpoint, StartError> {
        let links = self.links.as_ref();
        let found = links.map_or(Ok(None), |links| links.endpoint(caller, context));
        let missing = || StartError::of(context, "it is neither here nor elsewhere");
        found
            .map_err(|reason| StartError::of(context, reason))?
            .ok_or_else(missing)
    }

    /// The accounts in another process, for the keys of access tokens.
    fn users(&self, guards: &Guards) -> Result<Arc<dyn UserPort>, StartError> {
        let users = Arc::new(UserClient::new(self.endpoint(GATEWAY, "user")?));
        Ok(match &guards.user {
            Some(guard) => Arc::new(GuardedUsers::new(users, guard.clone())),
            None => users,
        })
    }
}

/// The port of a context: its own, or the client that is made where it has none here.
fn port<P: ?Sized>(
    own: Option<Arc<P>>,
    client: impl FnOnce() -> Result<Arc<P>, StartError>,
) -> Result<Arc<P>, StartError> {
    own.map_or_else(client, Ok)
}

pub(super) fn build(
    ground: Ground<'_>,
    stores: Stores,
    sealing_key: Option<[u8; 32]>,
) -> Result<Assembly, StartError> {
    let settings = ground.settings;
    let user = stores.user.zip(sealing_key).map(|(store, sealing_key)| {
        cleave_user::build(cleave_user::Deps {
            needs: ground.needs(store),
            settings: settings.user.clone(),
            sealing_key,
        })
    });
    let inventory = stores.inventory.map(|store| {
        cleave_inventory::build(cleave_inventory::Deps {
            needs: ground.needs(store),
            settings: settings.inventory.clone(),
        })
    });
    let of_its_own = settings.database.place("payment").is_none();
    let outside = stores.gateway_books.iter().filter(|_| of_its_own);
    let outside: Vec<Store> = outside.cloned().collect();
    let payment = stores.payment.zip(stores.gateway_books);
    let payment = payment.map(|(store, books)| {
        cleave_payment::build(cleave_payment::Deps {
            needs: ground.needs(store),
            settings: settings.payment.clone(),
            books,
        })
    });
    let shipping = stores.shipping.map(|store| {
        cleave_shipping::build(cleave_shipping::Deps {
            needs: ground.needs(store),
            settings: settings.shipping.clone(),
        })
    });
    let notification = stores.notification.map(|store| {
        cleave_notification::build(cleave_notification::Deps {
            needs: ground.needs(store),
            settings: settings.notification.clone(),
            transport: None,
        })
    });
    let ports = Ports {
        inventory: inventory.as_ref().map(|it| it.port.clone()),
        payment: payment.as_ref().map(|it| it.port.clone()),
        shipping: shipping.as_ref().map(|it| it.port.clone()),
    };
    let order = stores.order.map(|store| ports.order(&ground, store));
    let order = order.transpose()?;
    let guards = Guards::before(&ground.topology, &settings.gateway, &ground.world.clock);
    let users = port(user.as_ref().map(|it| it.port.clone()), || {
        ground.users(&guards)
    })?;
    let accounts = user.as_ref().map(|it| it.accounts.clone());
    let catalogue = inventory.as_ref().map(|it| it.catalogue.clone());
    let rebuild = order.as_ref().map(|it| it.rebuild.clone());
    let contexts: Vec<_> = [
        user.map(|it| it.context),
        inventory.map(|it| it.context),
        payment.map(|it| it.context),
        shipping.map(|it| it.context),
        notification.map(|it| it.context),
        order.map(|it| it.context),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Beside the sagas, where those are here: they come last.
    let operators = contexts
        .last()
        .map(|context| ground.needs(context.store.clone()).idempotency());
    Ok(Assembly {
        contexts,
        users,
        accounts,
        catalogue,
        rebuild,
        operators,
        outside,
        inbox_retention: settings.bus.consumer.inbox_retention,
        world: ground.world.clone(),
        bus: ground.bus,
        topology: ground.topology,
        links: ground.links,
        guards,
        audit_time: settings.gateway.audit.time_limit,
    })
}

/// What the order context calls, as far as it is here.
struct Ports {
    inventory: Option<Arc<dyn InventoryPort>>,
    payment: Option<Arc<dyn PaymentPort>>,
    shipping: Option<Arc<dyn ShippingPort>>,
}

impl Ports {
    fn order(
        self,
        ground: &Ground<'_>,
        store: Store,
    ) -> Result<cleave_order::OrderContext, StartError> {
        let endpoint = |context| ground.endpoint("order", context);
        let deps = cleave_order::Deps {
            needs: ground.needs(store),
            settings: ground.settings.order.clone(),
            inventory: port(self.inventory, || {
                Ok(Arc::new(InventoryClient::new(endpoint("inventory")?))
                    as Arc<dyn InventoryPort>)
            })?,
            payment: port(self.payment, || {
                Ok(Arc::new(PaymentClient::new(endpoint("payment")?)) as Arc<dyn PaymentPort>)
            })?,
            shipping: port(self.shipping, || {
                Ok(Arc::new(ShippingClient::new(endpoint("shipping")?)) as Arc<dyn ShippingPort>)
            })?,
        };
        cleave_order::build(deps).map_err(|error| StartError::of("order", error))
    }
}
