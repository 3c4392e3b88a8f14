//! The engine dies before and after each of its commits, and its successor
//! brings every saga to the very end that it would have had.

use cleave_saga::{SagaStatus, Takeup};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::bench::{Bench, Setup};
use super::errand::STEPS;
use super::matrix::{FAULTS, Fault};
use super::provider::{Act, Provider};

/// Runs one errand, killing an engine after each of these numbers of points.
/// False where the errand was over before the last of them.
async fn killed(bench: &Bench, kills: &[u32], ends: SagaStatus, case: &str) -> bool {
    let mut kills = kills.iter();
    let mut arm = || {
        bench.provider.revive();
        kills
            .next()
            .map(|points| bench.provider.kill_after(*points))
    };
    let mut armed = arm().is_some();
    let mut running = bench.start();
    let id = bench.begin(&running.engine, 0).await;
    while !bench.settle_or_die(&running.engine, id).await {
        running.crash().await;
        armed = arm().is_some();
        running = bench.start();
    }
    let view = bench.view(&running.engine, id).await;
    assert_eq!(
        view.status,
        ends,
        "{case}: {:#?}",
        bench.log_lines(id).await
    );
    bench.assert_exact(&running.engine, id, case).await;
    running.stop().await;
    !armed
}

async fn at_every_point(bench: &Bench, case: &str, ends: SagaStatus, arrange: impl Fn(&Provider)) {
    for point in 0.. {
        bench.provider.reset();
        arrange(&bench.provider);
        let case = format!("{case}, killed after {point} points");
        if !killed(bench, &[point], ends, &case).await {
            assert!(point >= 3, "{case}: each step has three points");
            return;
        }
    }
}

async fn every_fault_at(step: &'static str) {
    let bench = Bench::open(Setup::default()).await;
    for Fault {
        name,
        arrange,
        ends,
    } in &FAULTS
    {
        let case = format!("{step} {name}");
        at_every_point(&bench, &case, *ends, |provider| arrange(provider, step)).await;
    }
}

#[tokio::test]
async fn killed_at_every_point_of_every_fault_of_a_first_step() {
    every_fault_at("a").await;
}

#[tokio::test]
async fn killed_at_every_point_of_every_fault_of_a_middle_step() {
    every_fault_at("c").await;
}

#[tokio::test]
async fn killed_at_every_point_of_every_fault_of_a_pivot() {
    every_fault_at("d").await;
}

#[tokio::test]
async fn killed_at_every_point_of_a_troubled_compensation() {
    let bench = Bench::open(Setup::default()).await;
    at_every_point(&bench, "undo", SagaStatus::Compensated, |provider| {
        provider.script("d", [Act::Refuse]);
        for step in STEPS {
            provider.fail_undo(step, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn killed_again_and_again() {
    let bench = Bench::open(Setup::default()).await;
    for seed in 0..60 {
        let mut luck = StdRng::seed_from_u64(seed);
        let fault = &FAULTS[luck.random_range(0..FAULTS.len())];
        let step = STEPS[luck.random_range(0..STEPS.len())];
        let kills: Vec<u32> = (0..luck.random_range(2..6))
            .map(|_| luck.random_range(0..10))
            .collect();
        bench.provider.reset();
        (fault.arrange)(&bench.provider, step);
        let case = format!("seed {seed}: {step} {}, killed after {kills:?}", fault.name);
        killed(&bench, &kills, fault.ends, &case).await;
    }
}

#[tokio::test]
async fn what_is_stuck_stays_stuck_through_a_crash() {
    let bench = Bench::open(Setup::default()).await;
    bench.provider.script("b", [Act::Refuse]);
    bench.provider.fail_undo("a", u32::MAX);
    let running = bench.start();
    let id = bench.begin(&running.engine, 0).await;
    bench.settle(&running.engine, id).await;
    running.crash().await;

    let calls = bench.provider.calls();
    let running = bench.start();
    let other = bench.begin(&running.engine, 0).await;
    bench.settle(&running.engine, other).await;
    assert_eq!(
        bench.view(&running.engine, id).await.status,
        SagaStatus::Stuck
    );
    let undos = |calls: &[String]| calls.iter().filter(|call| *call == "undo a").count();
    assert_eq!(undos(&bench.provider.calls()), undos(&calls));

    bench.provider.fail_undo("a", 0);
    let taken = running.engine.take_up(id, Takeup::Retry).await;
    assert_eq!(taken.expect("taken up").status, SagaStatus::Compensating);
    let view = bench.settle(&running.engine, id).await;
    assert_eq!(view.status, SagaStatus::Compensated);
    running.stop().await;
}
