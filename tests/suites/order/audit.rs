//! The audit: it is quiet while all is well, and names what is not.

use cleave_hosting::AuditCheck;
use cleave_tests::audits::{looked, tamper};

use super::shop::Then;
use super::world::{World, body, id_of};

fn broken(checks: &[AuditCheck]) -> Vec<(&str, &str)> {
    let named = |check: &AuditCheck| !check.violations.is_empty();
    let broken = checks.iter().filter(|check| named(check));
    broken
        .map(|check| (check.name.as_str(), check.violations[0].detail.as_str()))
        .collect()
}

#[tokio::test]
async fn all_is_looked_at() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    world.place_and_wait(&body(&[(tea, 1)])).await;
    world
        .shop
        .script("charge", [Then::Refuse("payment_declined", "No.")]);
    world.place_and_wait(&body(&[(tea, 1)])).await;
    world.quiet().await;
    let checks = world.audit().await;
    assert_eq!(
        looked(&checks),
        [
            ("paid_orders_have_exactly_one_charge_of_their_total", 1),
            ("no_order_is_charged_twice", 2),
            ("cancelled_orders_net_to_zero", 1),
            ("cancelled_orders_hold_no_stock", 1),
            ("order_totals_are_the_sum_of_their_lines", 2),
            ("order_read_model_agrees_with_orders", 2),
            ("sagas_are_finished_or_owned", 1),
        ]
    );
    world.close().await;
}

#[tokio::test]
async fn what_is_broken_is_named() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    let id = id_of(&world.place_and_wait(&body(&[(tea, 1)])).await);
    world.quiet().await;
    world.shop.charge_again(id);
    assert_eq!(
        broken(&world.audit().await),
        [
            (
                "paid_orders_have_exactly_one_charge_of_their_total",
                "it has 2 completed charges"
            ),
            ("no_order_is_charged_twice", "it was charged 2 times"),
        ]
    );
    tamper(
        world.store(),
        "UPDATE orders SET total_amount = 1, status = 'cancelled'",
    )
    .await;
    assert_eq!(
        broken(&world.audit().await),
        [
            ("no_order_is_charged_twice", "it was charged 2 times"),
            (
                "cancelled_orders_net_to_zero",
                "450 was charged and 0 given back"
            ),
            (
                "cancelled_orders_hold_no_stock",
                "stock was taken for it and not given back"
            ),
            (
                "order_totals_are_the_sum_of_their_lines",
                "its lines do not add up to its total"
            ),
            (
                "order_read_model_agrees_with_orders",
                "it is cancelled; the read model says paid"
            ),
        ]
    );
    tamper(world.store(), "DELETE FROM orders").await;
    assert_eq!(
        broken(&world.audit().await),
        [(
            "order_read_model_agrees_with_orders",
            "the read model shows an order that does not exist"
        )]
    );
}

/// Over a broker the outbox is settled before the read model has been told.
#[tokio::test]
async fn what_is_on_its_way_to_the_read_model_breaks_nothing_for_as_long_as_it_may_take() {
    let world = World::open().await;
    let tea = world.shop.sells("TEA", 450, 10);
    world.place_and_wait(&body(&[(tea, 1)])).await;
    world.quiet().await;
    let behind = "UPDATE order_view SET status = 'pending'";
    let disagrees = [(
        "order_read_model_agrees_with_orders",
        "it is paid; the read model says pending",
    )];
    tamper(world.store(), behind).await;
    assert_eq!(broken(&world.audit().await), disagrees, "it has been told");
    tamper(
        world.store(),
        "DELETE FROM inbox WHERE handler = 'read_model'",
    )
    .await;
    assert_eq!(broken(&world.audit().await), [], "it is being told");
    tamper(
        world.store(),
        "UPDATE outbox SET envelope = REPLACE(envelope, '\"time\":\"2', '\"time\":\"1')",
    )
    .await;
    assert_eq!(broken(&world.audit().await), disagrees, "it never was");
}
