//! Every context, built from its settings, its store and the ports that it calls.

use std::sync::Arc;

use cleave_hosting::Needs;
use cleave_messaging::EventBus;
use cleave_store::Store;

use super::stores::Stores;
use super::{Assembly, StartError, World};
use crate::settings::Settings;

pub(super) fn build(
    settings: &Settings,
    world: &World,
    stores: Stores,
    sealing_key: [u8; 32],
    bus: Arc<dyn EventBus>,
) -> Result<Assembly, StartError> {
    let needs = |store: Store| Needs {
        store,
        clock: world.clock.clone(),
        ids: world.ids.clone(),
        idempotency: settings.http.idempotency.clone(),
    };
    let user = cleave_user::build(cleave_user::Deps {
        needs: needs(stores.user),
        settings: settings.user.clone(),
        sealing_key,
    });
    let inventory = cleave_inventory::build(cleave_inventory::Deps {
        needs: needs(stores.inventory),
        settings: settings.inventory.clone(),
    });
    let payment = cleave_payment::build(cleave_payment::Deps {
        needs: needs(stores.payment),
        settings: settings.payment.clone(),
        books: stores.gateway_books.clone(),
    });
    let shipping = cleave_shipping::build(cleave_shipping::Deps {
        needs: needs(stores.shipping),
        settings: settings.shipping.clone(),
    });
    let notification = cleave_notification::build(cleave_notification::Deps {
        needs: needs(stores.notification),
        settings: settings.notification.clone(),
        transport: None,
    });
    let order_needs = needs(stores.order);
    let operators = order_needs.idempotency();
    let order = cleave_order::build(cleave_order::Deps {
        needs: order_needs,
        settings: settings.order.clone(),
        inventory: inventory.port,
        payment: payment.port,
        shipping: shipping.port,
    })
    .map_err(|error| StartError::of("order", error))?;
    Ok(Assembly {
        contexts: vec![
            user.context,
            inventory.context,
            payment.context,
            shipping.context,
            notification.context,
            order.context,
        ],
        bus,
        users: user.port,
        accounts: user.accounts,
        catalogue: inventory.catalogue,
        rebuild: order.rebuild,
        operators,
        outside: vec![stores.gateway_books],
        inbox_retention: settings.bus.consumer.inbox_retention,
        world: world.clone(),
    })
}
