//! Two builds of the program in turns, in one run, so that what a machine does
//! meanwhile falls on both.

use std::path::Path;
use std::time::Duration;

use crate::load::{Load, Pass};
use crate::processor;
use crate::server::Server;

const ROUNDS: u32 = 3;
const CONNECTIONS: u64 = 64;

/// What one round measured.
struct Round {
    rate: f64,
    cpu: f64,
}

/// The other build, given as the path of its program, and this one.
pub(crate) async fn in_turns(other: &Path, pass: Duration) {
    println!("\nprogram   orders/s  POST p50  paid p50  CPU an order");
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(measure("other", Server::of_program(other), pass).await);
        ours.push(measure("this", Server::start(), pass).await);
    }
    let mean = |rounds: &[Round], of: fn(&Round) -> f64| {
        rounds.iter().map(of).sum::<f64>() / f64::from(ROUNDS)
    };
    for (what, of) in [
        ("orders/s", (|round| round.rate) as fn(&Round) -> f64),
        ("CPU an order", |round| round.cpu),
    ] {
        let (before, now) = (mean(&theirs, of), mean(&ours, of));
        let change = (now / before - 1.0) * 100.0;
        println!("{what}: {before:.0} by the other, {now:.0} by this ({change:+.0} %)");
    }
}

async fn measure(name: &str, server: Server, pass: Duration) -> Round {
    let base = server.url("");
    let load = Load::new(&[base]).await;
    load.run(4, Duration::from_secs(2), Pass::Plain).await;
    let used = processor::of_program();
    let plain = load.run(CONNECTIONS, pass, Pass::Plain).await;
    let cpu = (processor::of_program() - used) / plain.orders() as f64;
    let paid = load.run(CONNECTIONS, pass / 2, Pass::UntilPaid).await;
    let rate = plain.fulfilled_per_second();
    println!(
        "{name:<9} {rate:>8.0}  {:>5.1} ms  {:>5.1} ms  {cpu:>9.0} µs",
        plain.percentile(50),
        paid.paid(50),
    );
    Round { rate, cpu }
}
