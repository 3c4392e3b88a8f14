//! What the audit counts, and that it sees what is broken.

use cleave_tests::audits::{broken, looked, tamper};

use super::{World, created, ids};

#[tokio::test]
async fn the_invariants_hold_and_a_broken_one_is_seen() {
    let mut world = World::new().await;
    let user = world.recipient("ada@example.com").await;
    world.tell(&created(ids().next(), user)).await;
    let sending = world.start();
    world.announced(2).await;
    sending.stop().await;
    let checks = world.auditor.audit().await.expect("counted");
    assert_eq!(
        looked(&checks),
        [
            ("an_event_of_an_order_is_told_once", 1),
            ("a_sent_notification_was_mailed", 2),
            ("a_mail_has_its_notification", 2),
            ("nobody_is_mailed_twice", 2),
        ]
    );
    assert!(broken(&*world.auditor).await.is_empty());

    let again = "INSERT INTO mail_outbox SELECT randomblob(16), recipient, subject, body, \
                 accepted_at, 0 FROM mail_outbox LIMIT 1";
    tamper(&world.store.store, again).await;
    assert_eq!(
        broken(&*world.auditor).await,
        ["a_mail_has_its_notification", "nobody_is_mailed_twice"]
    );
    tamper(&world.store.store, "DELETE FROM mail_outbox").await;
    assert_eq!(
        broken(&*world.auditor).await,
        ["a_sent_notification_was_mailed"]
    );
    let twice = "INSERT INTO notifications SELECT user_id, randomblob(16), kind, channel, \
                 order_id, subject, body, 'queued', 0, 0, NULL, correlation, trace, 0, NULL, NULL \
                 FROM notifications WHERE order_id IS NOT NULL";
    tamper(&world.store.store, twice).await;
    let found = broken(&*world.auditor).await;
    assert_eq!(
        found,
        [
            "an_event_of_an_order_is_told_once",
            "a_sent_notification_was_mailed"
        ]
    );
}
