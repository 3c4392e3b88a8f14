//! Clients that place orders one after the other, each over a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a client waits for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pass {
    /// The answer to its POST.
    Plain,
    /// The order's fulfilment; then it looks when the order was paid.
    UntilPaid,
}

/// What it takes to place orders.
pub(crate) struct Load {
    /// Where requests are taken, and sagas run; clients are spread over them.
    fronts: Vec<String>,
    products: Arc<Vec<String>>,
    run: std::sync::atomic::AtomicU64,
}

/// What one pass measured.
pub(crate) struct Run {
    /// To the answer.
    latencies: Vec<Duration>,
    /// To the payment, where that was looked for.
    paid: Vec<Duration>,
    took: Duration,
}

/// How long one order took.
struct Took {
    answer: Duration,
    paid: Option<Duration>,
}

impl Run {
    pub(crate) fn orders(&self) -> u64 {
        self.latencies.len() as u64
    }

    pub(crate) fn fulfilled_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// From the request to its answer, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        percentile(&self.latencies, percent)
    }

    /// From the request to the payment, in milliseconds.
    pub(crate) fn paid(&self, percent: usize) -> f64 {
        percentile(&self.paid, percent)
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let took = sorted.get(place);
    took.map_or(0.0, |took| took.as_secs_f64() * 1e3)
}

impl Load {
    /// At these fronts of a shop, in whose processes its sagas run.
    pub(crate) async fn new(fronts: &[String]) -> Self {
        let base = fronts.first().expect("a front");
        let http = reqwest::Client::new();
        let mut products = Vec::new();
        let mut cursor = String::new();
        loop {
            let url = format!("{base}/api/v1/inventory/products?limit=100{cursor}");
            let page: Value = http
                .get(url)
                .send()
                .await
                .expect("answers")
                .json()
                .await
                .expect("json");
            // Only what the shop has plenty of: a benchmark must not run out of stock.
            let plenty = page["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|product| product["available"].as_i64() > Some(0));
            products.extend(plenty.filter_map(|product| product["id"].as_str().map(str::to_owned)));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let load = Self {
            fronts: fronts.to_vec(),
            products: Arc::new(products),
            run: 0.into(),
        };
        load.fill_shelves(base).await;
        load
    }

    fn front(&self, client: u64) -> &str {
        let place = usize::try_from(client).unwrap_or(0) % self.fronts.len();
        &self.fronts[place]
    }

    /// An access token; it lives for minutes, so each run takes its own.
    async fn sign_in(&self, email: &str, password: &str) -> String {
        let answer = reqwest::Client::new()
            .post(format!("{}/api/v1/users/sessions", self.front(0)))
            .json(&json!({ "email": email, "password": password }))
            .send()
            .await
            .expect("answers");
        let session: Value = answer.json().await.expect("json");
        session["access_token"]
            .as_str()
            .expect("signed in")
            .to_owned()
    }

    /// A million more of each product.
    async fn fill_shelves(&self, base: &str) {
        let http = reqwest::Client::new();
        let token = self
            .sign_in("admin@demo.example", "demo-admin-password")
            .await;
        for product in self.products.iter() {
            let url = format!("{base}/api/v1/inventory/products/{product}/adjustments");
            let more = json!({ "delta": 1_000_000, "reason": "benchmark" });
            let answer = http
                .post(url)
                .bearer_auth(&token)
                .json(&more)
                .send()
                .await
                .expect("answers");
            assert!(
                answer.status().is_success(),
                "{}",
                answer.text().await.unwrap_or_default()
            );
        }
    }

    /// Places orders for `span` over so many connections; the time until the last is fulfilled counts.
    pub(crate) async fn run(&self, connections: u64, span: Duration, pass: Pass) -> Run {
        let run = self.run.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let token = self
            .sign_in("customer@demo.example", "demo-customer-password")
            .await;
        let fulfilled = self.fulfilled().await;
        let begun = Instant::now();
        let clients = (0..connections)
            .map(|client| self.client(run * 1000 + client, begun + span, pass, &token));
        let all: Vec<Took> = futures::future::join_all(clients)
            .await
            .into_iter()
            .flatten()
            .collect();
        let mut latencies: Vec<Duration> = all.iter().map(|took| took.answer).collect();
        let mut paid: Vec<Duration> = all.iter().filter_map(|took| took.paid).collect();
        while self.fulfilled().await < fulfilled + latencies.len() as f64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = begun.elapsed();
        latencies.sort_unstable();
        paid.sort_unstable();
        Run {
            latencies,
            paid,
            took,
        }
    }

    /// Orders whose saga has come to its end.
    async fn fulfilled(&self) -> f64 {
        let mut ended = 0.0;
        for front in &self.fronts {
            let answer = reqwest::get(format!("{front}/metrics")).await;
            let answer = answer.expect("metrics");
            let text = answer.text().await.expect("text");
            let lines = text
                .lines()
                .filter(|line| line.starts_with("cleave_saga_settled_total"));
            ended += lines
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum::<f64>();
        }
        ended
    }

    async fn client(&self, client: u64, until: Instant, pass: Pass, token: &str) -> Vec<Took> {
        let http = reqwest::Client::builder()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(1)
            .build()
            .expect("a client");
        let mut random = client.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut took = Vec::new();
        let orders = format!("{}/api/v1/orders", self.front(client));
        while Instant::now() < until {
            let lines = [0; 3].map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let place = usize::try_from(random >> 33).unwrap_or(0) % self.products.len();
                format!(
                    r#"{{"product_id":"{}","quantity":1}}"#,
                    self.products[place]
                )
            });
            let body = format!(
                r#"{{"items":[{}],"payment_method":"pm_card_visa","shipping_address":{{"name":"A Customer","line1":"1 High Street","city":"London","postal_code":"N1 9GU","country":"GB"}}}}"#,
                lines.join(",")
            );
            let (begun, at) = (Instant::now(), OffsetDateTime::now_utc());
            let mut request = http
                .post(&orders)
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .header("idempotency-key", format!("bench-{client}-{}", took.len()))
                .body(body);
            if pass == Pass::UntilPaid {
                request = request.header("prefer", "wait=20");
            }
            let answer = request.send().await.expect("answers");
            let status = answer.status();
            let text = answer.text().await.expect("a body");
            let answer = begun.elapsed();
            assert_eq!(status.as_u16(), 201, "{text}");
            let paid = match pass {
                Pass::Plain => None,
                Pass::UntilPaid => Some(paid_at(&http, &orders, token, &text).await - at),
            };
            let paid = paid.and_then(|paid| Duration::try_from(paid).ok());
            took.push(Took { answer, paid });
        }
        took
    }
}

/// When an order was paid, as its timeline tells; the end of that millisecond.
async fn paid_at(http: &reqwest::Client, orders: &str, token: &str, order: &str) -> OffsetDateTime {
    let order: Value = serde_json::from_str(order).expect("json");
    let id = order["id"].as_str().expect("an id");
    let timeline = http
        .get(format!("{orders}/{id}/timeline"))
        .header("authorization", format!("Bearer {token}"))
        .send()
        .await
        .expect("answers");
    let timeline: Value = timeline.json().await.expect("json");
    let items = timeline["items"].as_array().expect("items");
    let paid = items
        .iter()
        .find(|item| item["kind"] == "status" && item["name"] == "paid")
        .and_then(|item| item["at"].as_str())
        .expect("it is paid");
    OffsetDateTime::parse(paid, &Rfc3339).expect("a time") + Duration::from_millis(1)
}
