//! Suite: the real program, killed at random moments under load, and what it runs
//! on; in one process and in several. Clients go on with their keys, and none of them
//! waits longer for an answer than the shop's limit lets it; in the end each key is
//! exactly one order, the books balance, and nobody was told anything twice.

mod apart;
mod books;
mod broker;
mod load;
mod looks;
mod silence;

use std::time::Duration;

use cleave_tests::program::Program;
use cleave_tests::shop::{ADMIN, Client};
use load::{LIMITS, Load};
use rand::{Rng, SeedableRng};

const KILLS: usize = 20;

fn environment() -> Vec<(&'static str, &'static str)> {
    vec![
        ("CLEAVE__ADMIN__EMAIL", ADMIN.0),
        ("CLEAVE__ADMIN__PASSWORD", ADMIN.1),
        ("CLEAVE__GATEWAY__RATE_LIMIT__ENABLED", "false"),
        ("CLEAVE__HTTP__TIME_LIMIT", LIMITS[0].1),
        ("CLEAVE__ORDER__FOLLOW__KEEP_ALIVE", LIMITS[1].1),
        ("CLEAVE__SHIPPING__SIMULATED__PICKUP_AFTER", "100ms"),
        ("CLEAVE__SHIPPING__SIMULATED__DELIVER_AFTER", "200ms"),
        ("CLEAVE__USER__HASHING__MEMORY_KIB", "8"),
        ("CLEAVE__USER__HASHING__ITERATIONS", "1"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_under_load_nothing_is_lost_and_nothing_doubled() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_owned();
    let start = move || Program::serve(&data, &[], &environment());
    let mut program = start();
    let client = Client::new(program.url());
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    let load = Load::begin(&client, &admin).await;
    let seed: u64 = rand::rng().random();
    eprintln!("moments of the kills are drawn from the seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        // A moment counts from the first order that this life of the program has answered.
        load.goes_on(1).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(20..600))).await;
        program.kill();
        let next = start.clone();
        program = tokio::task::spawn_blocking(next).await.expect("starts");
        load.moved([program.url()]);
    }
    let client = Client::new(program.url());
    let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
    load.end(&client, &admin).await;
    let (status, log) = tokio::task::spawn_blocking(move || program.stop())
        .await
        .expect("stops");
    assert!(status.success(), "{log}");
}
