//! The real program in a process of its own, and what can be read off it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::allocations::AS_PROGRAM;

/// A running server over a folder of its own; ended with the value.
pub(crate) struct Server {
    process: parking_lot::Mutex<Child>,
    pub(crate) address: parking_lot::Mutex<String>,
    folder: TempDir,
    program: PathBuf,
    settings: Vec<(String, String)>,
}

impl Server {
    /// Builds nothing: `cargo bench` has built the program already.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further settings, named as in the environment.
    pub(crate) fn start_with(settings: &[(String, String)]) -> Self {
        let built = std::env::var_os("CLEAVE_BIN").map_or_else(
            || {
                let mut path = std::env::current_exe().expect("this program has a path");
                path.pop();
                path.pop();
                path.push("cleave");
                path
            },
            PathBuf::from,
        );
        Self::of(built, settings)
    }

    /// Another build of it.
    pub(crate) fn of_program(program: &Path) -> Self {
        Self::of(program.to_owned(), &[])
    }

    /// The same program inside this one, which counts what it allocates.
    pub(crate) fn start_counting() -> Self {
        Self::of(
            std::env::current_exe().expect("this program has a path"),
            &[],
        )
    }

    fn of(program: PathBuf, settings: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings: Vec<(String, String)> = settings
            .iter()
            .map(|(name, value)| (format!("CLEAVE__{name}"), value.clone()))
            .collect();
        let (process, address, _) = launch(&program, &folder, &settings);
        Self {
            process: process.into(),
            address: address.into(),
            folder,
            program,
            settings,
        }
    }

    /// What it has allocated so far: how often, and how many bytes. Only of a counting one.
    pub(crate) fn allocated(&self) -> (f64, f64) {
        let mut process = self.process.lock();
        let ask = process.stdin.as_mut().expect("piped");
        writeln!(ask).expect("it listens");
        let answers = process.stdout.as_mut().expect("piped");
        let mut answer = String::new();
        // One line is asked for at a time, so nothing is lost with the buffer.
        BufReader::new(answers)
            .read_line(&mut answer)
            .expect("it answers");
        let mut numbers = answer
            .split_whitespace()
            .map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("two numbers");
        (next(), next())
    }

    /// Stops it in good order, starts it again, and says how long it took to be ready.
    pub(crate) fn restart(&self) -> Duration {
        let mut process = self.process.lock();
        let stopped = Command::new("kill").arg(process.id().to_string()).status();
        assert!(
            stopped.is_ok_and(|status| status.success()),
            "it can be told to stop"
        );
        process.wait().expect("it stops");
        let (next, address, took) = launch(&self.program, &self.folder, &self.settings);
        *process = next;
        *self.address.lock() = address;
        took
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address.lock())
    }

    fn proc(&self, file: &str) -> String {
        let id = self.process.lock().id();
        std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default()
    }

    /// Memory that it holds, MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
            / 1024
    }

    /// Processor time that it has used, microseconds.
    fn cpu_micros(&self) -> f64 {
        let stat = self.proc("stat");
        let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = behind_name.split(' ').collect();
        let ticks = |n: usize| {
            fields
                .get(n)
                .and_then(|ticks| ticks.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        // The eleventh and twelfth behind the name; Linux counts hundredths for every program.
        (ticks(11) + ticks(12)) * 10_000.0
    }

    /// Waits until nothing moves any more: no unit of work for two seconds.
    pub(crate) async fn quiet(&self) {
        let mut last = f64::NAN;
        loop {
            let units = Counters::of(self).await.values["units"];
            #[expect(clippy::float_cmp, reason = "the same count or another")]
            if units == last {
                return;
            }
            last = units;
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut process = self.process.lock();
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn launch(
    program: &Path,
    folder: &TempDir,
    settings: &[(String, String)],
) -> (Child, String, Duration) {
    let begun = Instant::now();
    let mut process = Command::new(program)
        .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .env("CLEAVE__LOG__FORMAT", "json")
        // The limit is on and counts each request; it is set above what one machine can send.
        .env(
            "CLEAVE__GATEWAY__RATE_LIMIT__REQUESTS_PER_SECOND",
            "1000000",
        )
        .env("CLEAVE__GATEWAY__RATE_LIMIT__BURST", "1000000")
        .env(AS_PROGRAM, "1")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts: run `cargo build --release` first, or set CLEAVE_BIN");
    let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            Some(
                line.split_once("ready: http://")?
                    .1
                    .split('"')
                    .next()?
                    .to_owned(),
            )
        })
        .expect("it says where it listens");
    let took = begun.elapsed();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    (process, address, took)
}

/// What the program has done since it started.
pub(crate) struct Counters {
    values: BTreeMap<&'static str, f64>,
}

/// Names of the table, and the metrics that they are the sums of.
const METRICS: [(&str, &str); 5] = [
    ("units", "cleave_store_units_total"),
    ("commits", "cleave_store_commits_total"),
    ("statements", "cleave_store_statements_total"),
    ("reads", "cleave_store_reads_total"),
    ("events", "cleave_events_published_total"),
];

impl Counters {
    pub(crate) async fn of(server: &Server) -> Self {
        let text = reqwest::get(server.url("/metrics"))
            .await
            .expect("metrics")
            .text()
            .await
            .expect("text");
        let sum = |metric: &str| {
            let samples = text.lines().filter(|line| {
                line.strip_prefix(metric)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            });
            samples
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum::<f64>()
        };
        let mut values: BTreeMap<_, _> = METRICS
            .into_iter()
            .map(|(name, metric)| (name, sum(metric)))
            .collect();
        values.insert("cpu", server.cpu_micros());
        Self { values }
    }

    pub(crate) fn cpu_micros_since(&self, before: &Self) -> f64 {
        self.values["cpu"] - before.values["cpu"]
    }

    pub(crate) fn statements_since(&self, before: &Self) -> f64 {
        self.values["statements"] - before.values["statements"]
    }

    /// What was done since, for each of so many orders.
    pub(crate) fn since<'a>(&'a self, before: &'a Self, orders: u64) -> impl fmt::Display + 'a {
        std::fmt::from_fn(move |f| {
            let each = |name: &str| (self.values[name] - before.values[name]) / orders as f64;
            for (name, _) in METRICS {
                writeln!(f, "  {name:<12}{:>8.2}", each(name))?;
            }
            writeln!(f, "  CPU         {:>8.0} µs", each("cpu"))
        })
    }
}
