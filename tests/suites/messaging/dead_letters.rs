//! What a person can do about dead letters, whichever bus brought them.

use cleave_messaging::HandlerGone;
use cleave_store::UnitError;
use cleave_vocabulary::EventId;

use super::world::{Does, Running, World, settled};

/// Each of these over each bus.
macro_rules! over_each_bus {
    ($($test:ident)+) => {
        mod in_process {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(super::World::new().await).await;
                }
            )+
        }

        mod over_nats {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(super::World::over_nats().await).await;
                }
            )+
        }
    };
}

over_each_bus! {
    redriving_handles_the_letter_and_what_waits_in_order
    a_redrive_that_fails_puts_the_letter_back
    what_waited_may_become_the_next_letter
    a_redrive_stops_at_the_next_event_that_fails
    discarding_lets_what_waits_go_on
    discarding_the_last_frees_its_key
    a_request_outlives_the_process
    a_key_stays_parked_across_a_restart
    the_letters_of_a_handler_that_is_gone_are_kept_and_say_so
    events_that_arrive_during_a_redrive_keep_their_place
}

/// Makes a dead letter of subject `a`, and two events that wait behind it.
async fn parked(world: World) -> (World, Running, Running, Vec<EventId>) {
    world.script.always("a", Does::Poison);
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    let ids = world.emit(&["a", "a", "a"]).await;
    settled(&handle).await;
    waiting(&world, 2).await;
    (world, consumer, relay, ids)
}

/// Waits until so many events wait behind the only letter. Over a broker, what
/// the relay has settled is stored, and not yet handled.
async fn waiting(world: &World, count: u64) {
    let wait = async || {
        let letters = world.letters().await;
        letters.len() == 1 && letters[0].waiting == count
    };
    world.eventually("what waits", wait).await;
}

async fn heal_and_redrive(world: &World) {
    world.script.heal("a");
    redrive(world).await;
}

async fn redrive(world: &World) {
    let id = &world.letters().await[0].id;
    assert!(world.dead_letters.redrive(id).await.expect("asked for"));
}

async fn redriving_handles_the_letter_and_what_waits_in_order(world: World) {
    let (world, consumer, relay, mut ids) = parked(world).await;
    heal_and_redrive(&world).await;
    world.expect("recorder", "a", &ids).await;
    world.expect_letters(0).await;
    ids.extend(world.emit(&["a"]).await);
    world.expect("recorder", "a", &ids).await;
    relay.stop().await;
    consumer.stop().await;
}

async fn a_redrive_that_fails_puts_the_letter_back(world: World) {
    let (world, consumer, relay, ids) = parked(world).await;
    world.script.always("a", Does::Later);
    redrive(&world).await;
    world
        .eventually("the new error", async || {
            world.letters().await[0].error == "not yet"
        })
        .await;
    let letter = &world.letters().await[0];
    assert_eq!((letter.attempts, letter.waiting), (7, 2));
    assert_eq!(letter.event_id, ids[0].to_string());
    assert!(world.effects("recorder", "a").await.is_empty());
    heal_and_redrive(&world).await;
    world.expect("recorder", "a", &ids).await;
    relay.stop().await;
    consumer.stop().await;
}

async fn what_waited_may_become_the_next_letter(world: World) {
    let (world, consumer, relay, ids) = parked(world).await;
    let first = world.letters().await[0].id.clone();
    world.script.heal("a");
    assert!(world.dead_letters.discard(&first).await.expect("discarded"));
    world.expect_letters(0).await;
    world.script.always("a", Does::Poison);
    let more = world.emit(&["a", "a"]).await;
    let waiting = async || {
        let letters = world.letters().await;
        letters.first().is_some_and(|letter| letter.waiting == 1)
    };
    world.eventually("the next letter", waiting).await;
    assert_eq!(world.letters().await[0].event_id, more[0].to_string());
    world.expect("recorder", "a", &ids[1..]).await;
    assert!(
        !world
            .dead_letters
            .redrive(&first)
            .await
            .expect("looked for")
    );
    assert!(
        !world
            .dead_letters
            .discard(&first)
            .await
            .expect("looked for")
    );
    relay.stop().await;
    consumer.stop().await;
}

async fn a_redrive_stops_at_the_next_event_that_fails(world: World) {
    let (world, consumer, relay, ids) = parked(world).await;
    let first = world.letters().await[0].id.clone();
    // A new word binds to the next event it meets, which discarding brings up.
    world.script.always("a", Does::Poison);
    assert!(world.dead_letters.discard(&first).await.expect("discarded"));
    let failed = async || {
        let letters = world.letters().await;
        letters.first().is_some_and(|letter| letter.attempts == 1)
    };
    world.eventually("the new letter", failed).await;
    let letter = &world.letters().await[0];
    assert_eq!(letter.event_id, ids[1].to_string());
    assert_eq!(
        (letter.error.as_str(), letter.waiting),
        ("makes no sense", 1)
    );
    heal_and_redrive(&world).await;
    world.expect("recorder", "a", &ids[1..]).await;
    relay.stop().await;
    consumer.stop().await;
}

async fn discarding_lets_what_waits_go_on(world: World) {
    let (world, consumer, relay, ids) = parked(world).await;
    world.script.heal("a");
    let id = &world.letters().await[0].id;
    assert!(world.dead_letters.discard(id).await.expect("discarded"));
    world.expect("recorder", "a", &ids[1..]).await;
    world.expect_letters(0).await;
    relay.stop().await;
    consumer.stop().await;
}

async fn discarding_the_last_frees_its_key(world: World) {
    world.script.always("a", Does::Poison);
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    world.emit(&["a"]).await;
    waiting(&world, 0).await;
    let id = &world.letters().await[0].id;
    assert!(world.dead_letters.discard(id).await.expect("discarded"));
    assert!(world.letters().await.is_empty());
    let ids = world.emit(&["a"]).await;
    settled(&handle).await;
    world.expect("recorder", "a", &ids).await;
    relay.stop().await;
    consumer.stop().await;
}

async fn a_request_outlives_the_process(world: World) {
    let (mut world, consumer, relay, ids) = parked(world).await;
    relay.stop().await;
    consumer.stop().await;
    heal_and_redrive(&world).await;
    assert!(world.effects("recorder", "a").await.is_empty());
    world.restart().await;
    let consumer = world.consumer(&["recorder"]).await;
    world.expect("recorder", "a", &ids).await;
    world.expect_letters(0).await;
    consumer.stop().await;
}

async fn a_key_stays_parked_across_a_restart(world: World) {
    let (mut world, consumer, relay, ids) = parked(world).await;
    relay.stop().await;
    consumer.stop().await;
    world.restart().await;
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    let more = world.emit(&["a", "b"]).await;
    settled(&handle).await;
    world.expect("recorder", "b", &more[1..]).await;
    waiting(&world, 3).await;
    heal_and_redrive(&world).await;
    world
        .expect("recorder", "a", &[&ids[..], &more[..1]].concat())
        .await;
    relay.stop().await;
    consumer.stop().await;
}

async fn the_letters_of_a_handler_that_is_gone_are_kept_and_say_so(world: World) {
    let (mut world, consumer, relay, _) = parked(world).await;
    relay.stop().await;
    consumer.stop().await;
    world.restart().await;
    let consumer = world.consumer(&["another"]).await;
    let letters = world.letters().await;
    assert_eq!(letters[0].handler, "recorder");
    let refused = world.dead_letters.redrive(&letters[0].id).await;
    let gone = HandlerGone("recorder".into());
    assert!(matches!(refused, Err(UnitError::Refused(why)) if why == gone));
    // One discarded, the two behind it come up in turn.
    for left in [1, 1, 0] {
        let id = &world.letters().await[0].id;
        assert!(world.dead_letters.discard(id).await.expect("discarded"));
        assert_eq!(world.letters().await.len(), left);
    }
    consumer.stop().await;
}

async fn events_that_arrive_during_a_redrive_keep_their_place(world: World) {
    let (world, consumer, relay, mut ids) = parked(world).await;
    heal_and_redrive(&world).await;
    for _ in 0..50 {
        ids.extend(world.emit(&["a", "a"]).await);
    }
    world.expect("recorder", "a", &ids).await;
    world.expect_letters(0).await;
    relay.stop().await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_newest_first_and_paged() {
    let world = World::new().await;
    let subjects = ["a", "b", "c", "d", "e"];
    for subject in subjects {
        world.script.always(subject, Does::Poison);
    }
    let consumer = world.consumer(&["recorder"]).await;
    let (relay, handle) = world.relay();
    world.emit(&subjects).await;
    settled(&handle).await;
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = world.dead_letters.list(before, 2).await.expect("listed");
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        seen.extend(page.into_iter().map(|letter| letter.subject));
    }
    assert_eq!(seen, ["e", "d", "c", "b", "a"]);
    let nonsense = world.dead_letters.list(Some("nonsense".into()), 2).await;
    assert!(nonsense.expect("listed").is_empty());
    relay.stop().await;
    consumer.stop().await;
}
