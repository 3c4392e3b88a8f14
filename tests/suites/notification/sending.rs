//! From queued messages to mails.

use cleave_tests::audits::tamper;
use std::time::Duration;

use cleave_notification::{Delivery, Mail, MailTransport};
use cleave_notification_contract::events::{NotificationFailed, NotificationSent};
use cleave_tests::snapshots::masked;
use cleave_tests::stores::over_postgres;
use cleave_vocabulary::{CallContext, Event, Failure, FailureKind, NotificationId, PortError};
use insta::assert_json_snapshot;

use super::{Scripted, World, created, ids, paid};

fn away() -> PortError {
    Failure::clean(FailureKind::Unavailable, "connection refused").into()
}

#[tokio::test]
async fn a_queued_message_is_mailed_and_announced() {
    let mut world = World::new().await;
    let user_id = world.recipient("ada@example.com").await;
    let order_id = ids().next();
    let event = world.tell(&created(order_id, user_id)).await;
    let sending = world.start();
    let events = world.announced(2).await;
    sending.stop().await;

    let mails = world.mails().await;
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(
        subjects,
        ["Welcome to Cleave", &format!("Order {order_id} received")]
    );
    assert!(
        mails
            .iter()
            .all(|mail| mail.to == "ada@example.com" && mail.repeats == 0)
    );
    assert!(mails[1].body.contains("59.97 GBP"), "{}", mails[1].body);

    let json = serde_json::to_value(&events[1]).expect("JSON");
    assert_json_snapshot!("notification_sent", masked(&json));
    let sent: NotificationSent = events[1].decode().expect("the event");
    assert_eq!(events[1].kind, NotificationSent::TYPE);
    assert_eq!(sent.notification_id, mails[1].key);
    assert_eq!((sent.user_id, sent.order_id), (user_id, Some(order_id)));
    assert_eq!(
        (sent.kind.as_str(), sent.channel.as_str()),
        ("order_created", "email")
    );
    assert_eq!(events[1].correlationid, event.correlationid);
    assert_eq!(events[1].causationid, Some(event.id.to_string()));
    assert_eq!(world.count("sent").await, 2);
}

#[tokio::test]
async fn a_message_queued_later_wakes_the_sender() {
    let mut world = World::new().await;
    let sending = world.start();
    world.recipient("ada@example.com").await;
    world.announced(1).await;
    world.recipient("eve@example.com").await;
    world.announced(2).await;
    sending.stop().await;
    assert_eq!(world.mails().await.len(), 2);
}

#[tokio::test]
async fn a_message_waits_for_its_recipient() {
    let mut world = World::new().await;
    let user = super::new_user("ada@example.com");
    let order_id = ids().next();
    world.tell(&created(order_id, user.user_id)).await;
    world.tell(&paid(order_id, user.user_id)).await;
    let sending = world.start();
    // Another's mail goes out past the two that wait.
    world.recipient("eve@example.com").await;
    world.announced(1).await;
    assert_eq!(world.count("queued").await, 2);

    world.tell(&user).await;
    world.announced(4).await;
    sending.stop().await;
    let mails = world.mails().await;
    let to_ada = mails.iter().filter(|mail| mail.to == "ada@example.com");
    assert_eq!(to_ada.count(), 3);
    assert_eq!(world.count("queued").await, 0);
}

#[tokio::test]
async fn a_recipient_whose_registration_woke_nobody_is_found_in_time() {
    let mut world = World::new().await;
    let user = super::new_user("ada@example.com");
    world.tell(&created(ids().next(), user.user_id)).await;
    let sending = world.start();
    world.recipient("eve@example.com").await;
    world.announced(1).await;
    let (id, email) = (user.user_id.uuid().simple(), &user.email);
    let insert = format!("INSERT INTO recipients VALUES (x'{id}', '{email}', 'Ada', 0)");
    tamper(&world.store.store, &insert).await;
    world.clock.advance(Duration::from_secs(1));
    world.announced(2).await;
    sending.stop().await;
    assert_eq!(world.count("sent").await, 2);
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_fails_the_message() {
    let mut world = World::new().await;
    let user_id = world.recipient("ada@bounce.invalid").await;
    let sending = world.start();
    let events = world.announced(1).await;
    sending.stop().await;
    assert_eq!(events[0].kind, NotificationFailed::TYPE);
    let json = serde_json::to_value(&events[0]).expect("JSON");
    assert_json_snapshot!("notification_failed", masked(&json));
    let failed: NotificationFailed = events[0].decode().expect("the event");
    assert_eq!((failed.user_id, failed.kind.as_str()), (user_id, "welcome"));
    assert_eq!(failed.error, "550 5.1.1 no such mailbox");
    assert_eq!(world.count("failed").await, 1);
    assert!(world.mails().await.is_empty());
}

#[tokio::test]
async fn a_mail_that_is_put_off_is_tried_again_with_growing_waits() {
    let put_off = || Ok(vec![Delivery::Deferred("450 busy".into())]);
    let (transport, mut asks) = Scripted::new([put_off(), put_off()]);
    let mut world = World::with(|_| {}, Some(transport)).await;
    world.recipient("ada@example.com").await;
    let sending = world.start();
    let mut ask = async || {
        let asked = tokio::time::timeout(Duration::from_secs(10), asks.recv()).await;
        asked.expect("asked").expect("a transport")
    };
    let first = ask().await;
    world.clock.advance(Duration::from_secs(1));
    let second = ask().await;
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    assert_eq!(first[0].key, second[0].key);
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(ask().await[0].attempt, 3);
    world.announced(1).await;
    sending.stop().await;
    assert_eq!(world.count("sent").await, 1);
}

#[tokio::test]
async fn a_transport_that_is_away_costs_no_message_its_attempts() {
    let (transport, mut asks) = Scripted::new([Err(away()), Err(away())]);
    let mut world = World::with(|_| {}, Some(transport)).await;
    world.recipient("ada@example.com").await;
    let sending = world.start();
    asks.recv().await.expect("asked");
    world.clock.advance(Duration::from_secs(1));
    asks.recv().await.expect("asked again");
    assert_eq!(world.count("queued").await, 1);
    world.clock.advance(Duration::from_secs(2));
    let third = asks.recv().await.expect("asked a third time");
    assert_eq!(third[0].attempt, 1);
    let events = world.announced(1).await;
    sending.stop().await;
    assert_eq!(events[0].kind, NotificationSent::TYPE);
}

#[tokio::test]
async fn a_message_that_is_too_old_fails_while_the_transport_is_away() {
    let (transport, mut asks) = Scripted::new([Err(away()), Err(away())]);
    let mut world = World::with(|_| {}, Some(transport)).await;
    world.recipient("ada@example.com").await;
    let sending = world.start();
    asks.recv().await.expect("asked");
    world.clock.advance(Duration::from_hours(24));
    asks.recv().await.expect("asked again");
    let events = world.announced(1).await;
    sending.stop().await;
    assert_eq!(events[0].kind, NotificationFailed::TYPE);
    assert_eq!(world.count("failed").await, 1);
}

#[tokio::test]
async fn answers_that_are_not_one_for_each_mail_are_no_answers() {
    let (transport, mut asks) = Scripted::new([Ok(vec![])]);
    let mut world = World::with(|_| {}, Some(transport)).await;
    world.recipient("ada@example.com").await;
    let sending = world.start();
    asks.recv().await.expect("asked");
    world.clock.advance(Duration::from_secs(1));
    asks.recv().await.expect("asked again");
    world.announced(1).await;
    sending.stop().await;
    assert_eq!(world.count("sent").await, 1);
}

#[tokio::test]
async fn a_batch_handed_over_before_a_crash_is_not_mailed_again() {
    let mut world = World::new().await;
    let welcome = world.tell(&super::new_user("ada@example.com")).await;
    // As it is when the program dies between the transport's answer and settling.
    let mail = Mail {
        key: NotificationId::from_uuid(welcome.id.uuid()),
        attempt: 1,
        to: "ada@example.com".into(),
        subject: "Welcome to Cleave".into(),
        body: "Welcome, Ada Lovelace. Your account is ready.".into(),
    };
    let outbox = world.outbox.clone().expect("the simulated transport");
    let call = CallContext::root(&*ids());
    outbox.deliver(&call, &[mail]).await.expect("handed over");

    let sending = world.start();
    world.announced(1).await;
    sending.stop().await;
    let mails = world.mails().await;
    assert_eq!((mails.len(), mails[0].repeats), (1, 1));
    assert_eq!(world.count("sent").await, 1);
    let checks = world.auditor.audit().await.expect("counted");
    assert!(checks.iter().all(|check| check.violations.is_empty()));
}

#[tokio::test]
async fn a_message_settled_by_someone_else_is_not_announced() {
    let (transport, mut asks) = Scripted::new([]);
    transport.permits.forget_permits(usize::MAX);
    let mut world = World::with(|_| {}, Some(transport.clone())).await;
    world.recipient("ada@example.com").await;
    world.recipient("eve@example.com").await;
    let sending = world.start();
    let asked = asks.recv().await.expect("asked");
    let key = asked[0].key.uuid().simple();
    let settle = format!("UPDATE notifications SET status = 'sent' WHERE id = x'{key}'");
    tamper(&world.store.store, &settle).await;
    transport.permits.add_permits(1);
    let events = world.announced(1).await;
    sending.stop().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].subject, asked[1].key.to_string());
}

#[tokio::test]
async fn many_messages_cost_few_units_of_work() {
    let mut world = World::with(|settings| settings.sender.batch = 600, None).await;
    let user_id = world.recipient("ada@example.com").await;
    for _ in 1..600 {
        world.tell(&created(ids().next(), user_id)).await;
    }
    let before = world.store.store.write_stats();
    let sending = world.start();
    world.announced(600).await;
    sending.stop().await;
    let after = world.store.store.write_stats();
    // A unit for the transport and one for settling. Accepting and marking take a
    // statement for each portion (nine of 64, one of 16, one of 8), and announcing
    // too, or one for all where rows of the outbox wait for the commit.
    let announcing = if over_postgres() { 1 } else { 11 };
    assert_eq!(after.units - before.units, 2);
    assert_eq!(after.statements - before.statements, 2 * 11 + announcing);
    assert_eq!(world.mails().await.len(), 600);
}
