//! What a seam costs: the same call bare, guarded, through the codec, and over a
//! connection. `cargo bench -p cleave-tests --bench seam` prints the best and the
//! median of many short rounds; on a busy machine believe the best.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures and prints, with a server that ends with the process"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::serve::{Listener, ListenerExt};
use cleave_payment_contract::port::{
    ChargeOrder, Charged, Client, GetPaymentStatus, GetStatements, Guarded, PaymentPort,
    PaymentStanding, RefundOrder, Refunded, Statements, Supported, SupportsMethod, Wired, routes,
};
use cleave_resilience::{Guard, Policy};
use cleave_seam::{Endpoint, http_client};
use cleave_vocabulary::{
    CallContext, Clock, Currency, IdSource, KeyedOutcome, Money, OutcomeOf, PaymentId, PortError,
    SequentialIds, SystemClock,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers at once, or at the second look: as a call to a store's thread would.
struct Payments {
    payment: PaymentId,
    pauses: bool,
}

#[async_trait]
impl PaymentPort for Payments {
    async fn charge(&self, _: &CallContext, _: ChargeOrder) -> Result<Charged, PortError> {
        if self.pauses {
            tokio::task::yield_now().await;
        }
        Ok(Charged {
            payment_id: self.payment,
        })
    }

    async fn supports(&self, _: &CallContext, _: SupportsMethod) -> Result<Supported, PortError> {
        Ok(Supported { supported: true })
    }

    async fn resolve_charge(
        &self,
        _: &CallContext,
        _: OutcomeOf,
    ) -> Result<KeyedOutcome<Charged>, PortError> {
        Ok(KeyedOutcome::Never)
    }

    async fn refund(&self, _: &CallContext, _: RefundOrder) -> Result<Refunded, PortError> {
        Ok(Refunded {
            payment_id: None,
            amount: None,
        })
    }

    async fn status(
        &self,
        _: &CallContext,
        _: GetPaymentStatus,
    ) -> Result<PaymentStanding, PortError> {
        Ok(PaymentStanding {
            payment_id: None,
            status: None,
        })
    }

    async fn statements(&self, _: &CallContext, _: GetStatements) -> Result<Statements, PortError> {
        Ok(Statements { items: Vec::new() })
    }
}

/// Rounds are short, so that on a busy machine some are not interrupted.
const ROUNDS: usize = 101;

struct Bench {
    call: CallContext,
    input: ChargeOrder,
    metrics: PrometheusHandle,
}

impl Bench {
    /// Nanoseconds for one call of `port`.
    async fn measure(&self, name: &str, calls: u32, port: &dyn PaymentPort) {
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let mut inputs = vec![self.input.clone(); calls as usize];
            let began = Instant::now();
            while let Some(input) = inputs.pop() {
                let charged = port.charge(&self.call, input).await;
                std::hint::black_box(charged).expect("charged");
            }
            rounds.push(began.elapsed());
            self.metrics.run_upkeep();
        }
        report(name, calls, rounds);
    }
}

fn report(name: &str, calls: u32, mut rounds: Vec<Duration>) {
    rounds.sort();
    let nanos = |round: Duration| round.as_nanos() / u128::from(calls);
    let (best, median) = (nanos(rounds[0]), nanos(rounds[ROUNDS / 2]));
    println!("{name:<34} {best:>8} ns at best {median:>8} ns median");
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |model| {
        model.trim_matches([' ', '\t', ':'])
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores")
}

/// Threads of its own for what would be another process.
fn elsewhere() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads")
}

/// A port that nobody has, and no waiting for a segment to fill: as the program does.
async fn listener() -> (impl Listener<Addr = SocketAddr>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("set"));
    (listener, address)
}

/// Nanoseconds for a byte to a peer and back: what the machine takes for any call.
async fn measure_echo() {
    let other = elsewhere();
    let (mut listener, address) = listener().await;
    other.spawn(async move {
        let (mut stream, _) = Listener::accept(&mut listener).await;
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            stream.write_all(&byte).await.expect("written");
        }
    });
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("set");
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..50 {
            stream.write_all(&[1]).await.expect("written");
            stream.read_exact(&mut [0]).await.expect("read");
        }
        rounds.push(began.elapsed());
    }
    report("a byte there and back", 50, rounds);
    other.shutdown_background();
}

fn main() {
    let here = elsewhere();
    // As in the program, those who call are tasks.
    here.block_on(here.spawn(measure_all())).expect("measured");
}

async fn measure_all() {
    let ids: Arc<dyn IdSource> = Arc::new(SequentialIds::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let bench = Bench {
        call: CallContext::root(&*ids).caused_by("sga_1:process_payment"),
        input: ChargeOrder {
            key: "sga_1:process_payment".into(),
            order_id: ids.next(),
            user_id: ids.next(),
            amount: Money::new(1999, Currency::GBP),
            payment_method: "pm_card_visa".into(),
        },
        metrics: PrometheusBuilder::new()
            .install_recorder()
            .expect("the first recorder"),
    };
    let payments = |pauses| -> Arc<dyn PaymentPort> {
        let payment = ids.next();
        Arc::new(Payments { payment, pauses })
    };
    let guarded = |port: Arc<dyn PaymentPort>| {
        let guard = Guard::new("bench.payment", Policy::default(), clock.clone());
        Guarded::new(port, guard)
    };
    let (listener, address) = listener().await;
    let other = elsewhere();
    other.spawn(axum::serve(listener, routes(payments(false), clock.clone())).into_future());
    let http = http_client().expect("a client");
    let endpoint = Endpoint::new(http, "desk", &format!("http://{address}"), clock.clone());

    println!("{}", machine());
    bench.measure("bare", 1_000, &*payments(false)).await;
    bench
        .measure("guarded", 1_000, &guarded(payments(false)))
        .await;
    bench
        .measure("bare, answers at the second look", 1_000, &*payments(true))
        .await;
    bench
        .measure(
            "guarded, at the second look",
            1_000,
            &guarded(payments(true)),
        )
        .await;
    let wired = Wired::new(payments(false), clock.clone());
    bench.measure("wired", 500, &wired).await;
    let client: Arc<dyn PaymentPort> = Arc::new(Client::new(endpoint));
    bench.measure("remote", 50, &*client).await;
    bench
        .measure("guarded and remote", 50, &guarded(client))
        .await;
    measure_echo().await;
    other.shutdown_background();
}
