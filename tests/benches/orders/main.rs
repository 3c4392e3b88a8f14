//! Orders fulfilled a second, over HTTP, through the real program with every
//! guarantee on; beside it, in the same run, what the disk costs and what a
//! hand-written program over the same SQLite does.
//!
//! ```text
//! cargo bench -p cleave-tests --bench orders              # the table of the README
//! cargo bench -p cleave-tests --bench orders -- --quick   # a few seconds
//! cargo bench -p cleave-tests --bench orders -- --orders 100000   # does it stay as fast, and as small?
//! cargo bench -p cleave-tests --bench orders -- --ways            # on Postgres, over NATS, in several processes
//! cargo bench -p cleave-tests --bench orders -- --ways apart      # of these, what has the word in its name
//! cargo bench -p cleave-tests --bench orders -- --ways --statements   # and what each statement costs Postgres
//! cargo bench -p cleave-tests --bench orders -- --against OTHER   # beside another build of the program, in turns
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the machine's clock"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod against;
mod allocations;
mod byhand;
mod disk;
mod load;
mod pgbench;
mod processor;
mod server;
mod statements;
mod ways;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use load::{Load, Pass};
use server::{Counters, Server};

struct Options {
    /// How long each pass lasts.
    pass: Duration,
    /// Orders to place in one go, to see whether cost and memory stay flat.
    orders: Option<u64>,
    /// Compare the ways to run the contexts: those that have this in their name.
    ways: Option<String>,
    /// Tell of each of these what its statements cost the server.
    statements: bool,
    /// Another build of the program to measure beside this one.
    against: Option<PathBuf>,
}

fn options() -> Options {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        words.get(place + 1)?.parse().ok()
    };
    let quick = words.iter().any(|word| word == "--quick");
    Options {
        pass: Duration::from_secs(if quick { 3 } else { 10 }),
        orders: number("--orders"),
        ways: words.iter().position(|word| word == "--ways").map(|place| {
            let next = words.get(place + 1);
            next.filter(|word| !word.starts_with("--"))
                .cloned()
                .unwrap_or_default()
        }),
        statements: words.iter().any(|word| word == "--statements"),
        against: {
            let place = words.iter().position(|word| word == "--against");
            place
                .and_then(|place| words.get(place + 1))
                .map(PathBuf::from)
        },
    }
}

fn main() -> ExitCode {
    if std::env::var_os(allocations::AS_PROGRAM).is_some() {
        return allocations::serve();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(measure());
    ExitCode::SUCCESS
}

async fn measure() {
    let options = options();
    println!("{}", machine());
    println!(
        "fdatasync of 4 KiB, appended: {:.0} µs at the median",
        disk::sync_cost().as_secs_f64() * 1e6
    );
    match (options.orders, options.ways, options.against) {
        (Some(orders), ..) => flat(orders).await,
        (_, Some(word), _) => ways::side_by_side(options.pass, &word, options.statements).await,
        (_, _, Some(other)) => against::in_turns(&other, options.pass).await,
        _ => table(options.pass).await,
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "machine: {cores} ×{}",
        model
            .trim_start_matches(['\t', ' ', ':'])
            .to_owned()
            .insert_space()
    )
}

/// A space before the name of the processor.
trait InsertSpace {
    fn insert_space(self) -> String;
}

impl InsertSpace for String {
    fn insert_space(self) -> String {
        format!(" {self}")
    }
}

async fn table(pass: Duration) {
    let byhand = byhand::orders_per_second(pass.min(Duration::from_secs(5)), 64);
    println!(
        "by hand, rusqlite, five transactions an order, group commit, no HTTP, 64 at once: {byhand:.0} orders/s"
    );
    let server = Server::start();
    let load = load_of(&server).await;
    load.run(4, Duration::from_secs(2), Pass::Plain).await;
    println!(
        "\nconnections  orders/s  POST p50  POST p99  paid p50  paid p99  settled p50  of by hand   RSS"
    );
    for connections in [1, 16, 64] {
        let plain = load.run(connections, pass, Pass::Plain).await;
        if connections == 1 {
            // Alone: without the deliveries and messages that the pass before left.
            server.quiet().await;
        }
        let paid = load.run(connections, pass / 2, Pass::UntilPaid).await;
        println!(
            "{connections:>11}  {:>8.0}  {:>5.1} ms  {:>5.1} ms  {:>5.1} ms  {:>5.1} ms  {:>8.1} ms  {:>9.0} %  {:>3} MB",
            plain.fulfilled_per_second(),
            plain.percentile(50),
            plain.percentile(99),
            paid.paid(50),
            paid.paid(99),
            paid.percentile(50),
            plain.fulfilled_per_second() * 100.0 / byhand,
            server.resident_mib(),
        );
    }
    println!();
    cost(&server, &load, pass).await;
}

/// Orders for a program that has everything.
async fn load_of(server: &Server) -> Load {
    let base = server.url("");
    Load::new(&[base]).await
}

/// What an order costs, from the program's own counts and the system's.
async fn cost(server: &Server, load: &Load, pass: Duration) {
    server.quiet().await;
    let before = Counters::of(server).await;
    let run = load.run(64, pass, Pass::Plain).await;
    server.quiet().await;
    let after = Counters::of(server).await;
    println!(
        "an order costs, from its request to its delivery:\n{}",
        after.since(&before, run.orders())
    );
    allocated(pass / 2).await;
}

/// What an order allocates, in a program that counts it.
async fn allocated(pass: Duration) {
    let server = Server::start_counting();
    let load = load_of(&server).await;
    load.run(64, pass, Pass::Plain).await;
    server.quiet().await;
    let before = server.allocated();
    let run = load.run(64, pass, Pass::Plain).await;
    server.quiet().await;
    let after = server.allocated();
    let each = |after: f64, before: f64| (after - before) / run.orders() as f64;
    println!(
        "  allocations {:>8.0}, {:.0} KiB (without SQLite's own)",
        each(after.0, before.0),
        each(after.1, before.1) / 1024.0
    );
}

/// Whether an order costs the same, and memory stays the same, with many orders stored.
async fn flat(orders: u64) {
    let server = Server::start();
    let load = load_of(&server).await;
    let mut stored = fill(&server, &load, 0, 1000).await;
    println!("\n  orders stored  POST p50  statements  CPU an order   RSS");
    let few = weigh(&server, &load, &mut stored).await;
    stored = fill(&server, &load, stored, orders).await;
    let many = weigh(&server, &load, &mut stored).await;
    println!(
        "an order costs {:+.0} % with many stored",
        (many / few - 1.0) * 100.0
    );
    let again = server.restart();
    println!(
        "ready after a restart with {stored} orders: {} ms",
        again.as_millis()
    );
}

/// Places orders until there are so many; how many there are then.
async fn fill(server: &Server, load: &Load, mut stored: u64, orders: u64) -> u64 {
    while stored < orders {
        let run = load.run(64, Duration::from_millis(500), Pass::Plain).await;
        stored += run.orders();
        eprint!("\r{stored} orders, {} MB ", server.resident_mib());
    }
    eprintln!();
    stored
}

/// Weighs orders from their request to their delivery, with nothing else going
/// on; the processor's time that each took.
async fn weigh(server: &Server, load: &Load, stored: &mut u64) -> f64 {
    server.quiet().await;
    let before = Counters::of(server).await;
    let run = load.run(64, Duration::from_secs(5), Pass::Plain).await;
    server.quiet().await;
    let after = Counters::of(server).await;
    let each = after.cpu_micros_since(&before) / run.orders() as f64;
    println!(
        "{stored:>15}  {:>5.1} ms  {:>10.1}  {each:>9.0} µs  {:>3} MB",
        run.percentile(50),
        after.statements_since(&before) / run.orders() as f64,
        server.resident_mib(),
    );
    *stored += run.orders();
    each
}
