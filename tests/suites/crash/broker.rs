//! A broker that loses what it has kept for handlers, under load.

use cleave_tests::deployment::Deployment;
use futures::TryStreamExt;

use super::apart::{BETWEEN, PARTS, QUICK, end};
use super::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_deleted_below_running_processes() {
    let mut deployment = Deployment::start(&PARTS, &QUICK).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    for family in ["order", "payment", "inventory", "shipment", "order"] {
        load.goes_on(BETWEEN).await;
        let jetstream = deployment.broker().by_hand().await;
        let deleted = jetstream.delete_stream(format!("cleave-{family}")).await;
        deleted.expect("it was there");
    }
    end(deployment, load).await;
}

/// What was published before they were made again is lost to their handlers, as the
/// log says; and it comes again where the stream is deleted too, as the log says.
#[tokio::test(flavor = "multi_thread")]
async fn consumers_are_deleted_and_then_their_stream() {
    let mut deployment = Deployment::start(&PARTS, &QUICK).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    load.goes_on(BETWEEN).await;
    let jetstream = deployment.broker().by_hand().await;
    let stream = jetstream.get_stream("cleave-order").await.expect("there");
    let consumers = stream.consumer_names().try_collect::<Vec<_>>().await;
    for consumer in consumers.expect("told") {
        let deleted = stream.delete_consumer(&consumer).await;
        deleted.expect("it was there");
    }
    load.goes_on(BETWEEN).await;
    let deleted = jetstream.delete_stream("cleave-order").await;
    deleted.expect("it was there");
    end(deployment, load).await;
}

/// What nobody had handled when it was lost is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_emptied_while_every_process_is_down() {
    let mut deployment = Deployment::start(&PARTS, &QUICK).await;
    let admin = deployment.admin().await;
    let load = Load::begin(&deployment.front(), &admin).await;
    load.goes_on(BETWEEN).await;
    // From here on nobody is told anything, and orders go on as far as they can.
    let last = PARTS.len() - 1;
    deployment.kill(last);
    load.goes_on(BETWEEN).await;
    for part in 0..last {
        deployment.kill(part);
    }
    deployment.broker().start_empty().await;
    for part in (0..=last).rev() {
        deployment.restart(part).await;
    }
    load.moved([deployment.program(0).url()]);
    end(deployment, load).await;
}
