//! A whole shop: every context, the gateway, a real listener, fresh databases.
//! It runs in this process, or in the processes that `CLEAVE_TEST_TOPOLOGY` names
//! (`order,user payment inventory,shipping,notification`); who asks it can't tell.
//! Closing it demands that the books balance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cleave::assembly::World;
use cleave::service::Service;
use cleave::settings::{BusKind, DatabaseSettings, DatabaseUrl, Layers, Settings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::Broker;
use crate::deployment::Deployment;
use crate::postgres;
use crate::stores::on_postgres;

/// A shop that is open.
pub struct Shop {
    house: House,
    client: Client,
    /// Signs in as the admin.
    pub admin: String,
}

/// Where it runs.
enum House {
    /// In this process, with its data folder, and its broker where this run has one.
    Whole(Service, TempDir, Option<Broker>),
    /// In several.
    Parts(Deployment),
}

/// Asks a server; every answer with its status and its body.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Where the server is, or its equals: each request goes to the next.
    bases: Arc<[String]>,
    turn: Arc<AtomicUsize>,
    patience: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body; null where it is none or no JSON.
    pub body: Value,
}

/// A fresh schema for each context that this run has on Postgres.
async fn put_on_postgres(database: &mut DatabaseSettings) {
    for (name, context) in [
        ("order", &mut database.order),
        ("payment", &mut database.payment),
        ("inventory", &mut database.inventory),
        ("user", &mut database.user),
        ("notification", &mut database.notification),
        ("shipping", &mut database.shipping),
    ] {
        if on_postgres(name) {
            let url = postgres::shared().schema().await;
            context.url.get_or_insert(DatabaseUrl(url));
        }
    }
}

/// The admin of every shop.
pub const ADMIN: (&str, &str) = ("admin@shop.example", "an admin's password");

/// What speaks to servers under test. No certificate is ever looked at here, and to
/// read the system's costs more than a whole test has to ask.
///
/// # Panics
/// Where it can't be made.
pub fn http() -> reqwest::Client {
    let builder = reqwest::Client::builder().tls_certs_only([]);
    builder.build().expect("a client")
}

impl Client {
    /// A client of the server at `base`.
    pub fn new(base: impl Into<String>) -> Self {
        Self::of_all(vec![base.into()])
    }

    /// A client of several that are one to it, as behind a balancer of loads.
    pub fn of_all(bases: Vec<String>) -> Self {
        Self {
            http: http(),
            bases: bases.into(),
            turn: Arc::default(),
            patience: Duration::from_secs(60),
        }
    }

    /// A client of the first alone: for what each knows by itself, as its breakers do.
    #[must_use]
    pub fn at_one_front(&self) -> Self {
        Self::new(self.bases[0].clone())
    }

    /// The same, waiting so long for each answer.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The base of its next URL.
    pub fn url(&self) -> &str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.bases[turn % self.bases.len()]
    }

    /// Sends a request, as whoever the token is of; `None` where nobody answered.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Reply> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url()))
            .timeout(self.patience);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.ok()?;
        Some(Reply {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }

    /// The same, of a server that is there.
    ///
    /// # Panics
    /// Where nobody answers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        self.try_send(method, path, token, headers, body)
            .await
            .expect("the server answers")
    }

    /// `GET`.
    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(Method::GET, path, Some(token), &[], None).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(token), &[], Some(body))
            .await
    }

    /// Signs in.
    ///
    /// # Panics
    /// Where that is refused.
    pub async fn sign_in(&self, email: &str, password: &str) -> String {
        let body = json!({ "email": email, "password": password });
        let session = self
            .send(
                Method::POST,
                "/api/v1/users/sessions",
                None,
                &[],
                Some(&body),
            )
            .await;
        session.body["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("not signed in: {session:?}"))
            .to_owned()
    }

    /// Registers somebody and signs in.
    ///
    /// # Panics
    /// Where that is refused.
    pub async fn customer(&self, name: &str) -> String {
        let (email, password) = (format!("{name}@customer.example"), "a customer's password");
        let body = json!({ "email": email, "password": password, "name": name });
        let made = self
            .send(Method::POST, "/api/v1/users", None, &[], Some(&body))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        self.sign_in(&email, password).await
    }

    /// Adds a product with so many on the shelf.
    ///
    /// # Panics
    /// Where that is refused.
    pub async fn product(&self, admin: &str, sku: &str, on_hand: i64) -> String {
        let price = json!({ "amount": 250, "currency": "GBP" });
        let body = json!({ "sku": sku, "name": format!("Product {sku}"), "price": price, "on_hand": on_hand });
        let made = self.post("/api/v1/inventory/products", admin, &body).await;
        made.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no product: {made:?}"))
            .to_owned()
    }

    /// Looks at something until it is as wanted.
    ///
    /// # Panics
    /// After a minute; with the last look.
    pub async fn until(&self, path: &str, token: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..6000 {
            let reply = self.get(path, token).await;
            if wanted(&reply.body) {
                return reply.body;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "{path} never came to be as wanted: {:?}",
            self.get(path, token).await.body
        )
    }

    /// Waits until no saga is under way, and demands that every invariant holds
    /// and no event was given up on.
    ///
    /// # Panics
    /// Where one does not.
    pub async fn demand_balanced_books(&self, admin: &str) {
        for status in ["pending", "waiting", "compensating"] {
            let path = format!("/api/v1/ops/sagas?status={status}&limit=1");
            self.until(&path, admin, |page| page["items"] == json!([]))
                .await;
        }
        let dead = self.get("/api/v1/ops/dead-letters", admin).await;
        assert_eq!(dead.body["items"], json!([]), "dead letters");
        let audit = self.post("/api/v1/ops/audit", admin, &json!({})).await;
        assert_eq!(audit.status, 200, "{audit:?}");
        assert_eq!(audit.body["ok"], json!(true), "{:#}", audit.body);
    }
}

/// An order of so many of each product, paid by `method`.
pub fn order(lines: &[(&str, u32)], method: &str) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .map(|(id, quantity)| json!({ "product_id": id, "quantity": quantity }))
        .collect();
    json!({ "items": items, "payment_method": method, "shipping_address": address("N1 9GU") })
}

/// An address with this postal code.
pub fn address(postal_code: &str) -> Value {
    json!({ "name": "A Customer", "line1": "1 High Street", "city": "London", "postal_code": postal_code, "country": "GB" })
}

/// Names, in the environment, the processes of every shop of this run.
const TOPOLOGY: &str = "CLEAVE_TEST_TOPOLOGY";
/// Names, in the environment, what carries the events of every shop of this run.
const BUS: &str = "CLEAVE_TEST_BUS";

/// The broker of a shop, in a run whose shops have one.
///
/// # Panics
/// Where the run asks for what there is not.
async fn broker(settings: &mut Settings) -> Option<Broker> {
    match std::env::var(BUS).as_deref() {
        Err(_) | Ok("in_process") => None,
        Ok("nats") => {
            let broker = Broker::start().await;
            settings.bus.kind = BusKind::Nats;
            settings.bus.nats.url = Some(broker.url());
            Some(broker)
        }
        Ok(other) => panic!("{BUS} is `in_process` or `nats`, and not `{other}`"),
    }
}

impl Shop {
    /// Opens one with these settings (`shipping.simulated.pickup_after`, `never`),
    /// given as the program's environment gives them: what needs nothing else may
    /// be asked of any program, wherever and in how many processes it runs.
    ///
    /// # Panics
    /// Where it does not open.
    pub async fn open_set(settings: &[(&str, &str)]) -> Self {
        let variable = |(key, value): &(&str, &str)| {
            (key.replace('.', "__").to_uppercase(), (*value).to_owned())
        };
        let settings: Vec<(String, String)> = settings.iter().map(variable).collect();
        let (house, urls) = match std::env::var(TOPOLOGY) {
            Ok(parts) => Box::pin(parts_of(&parts, &settings)).await,
            Err(_) => Box::pin(whole(&settings)).await,
        };
        let client = Client::of_all(urls);
        let admin = client.sign_in(ADMIN.0, ADMIN.1).await;
        Self {
            house,
            client,
            admin,
        }
    }

    /// Opens one as it is by default.
    pub async fn open() -> Self {
        Self::open_set(&[]).await
    }

    /// Asks it over HTTP.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Closes it, once everything has come to rest and the books balance.
    pub async fn close(self) {
        self.client.demand_balanced_books(&self.admin).await;
        match self.house {
            House::Whole(service, _folder, _broker) => service.stop().await,
            House::Parts(deployment) => deployment.stop_all(),
        }
    }
}

/// A shop whose every context is in this process.
async fn whole(settings: &[(String, String)]) -> (House, Vec<String>) {
    // The limits are for strangers; whoever tests them sets them. Hashing is as
    // cheap as the library lets it be.
    let usual = [
        ("GATEWAY__RATE_LIMIT__ENABLED", "false"),
        ("USER__HASHING__MEMORY_KIB", "8"),
        ("USER__HASHING__ITERATIONS", "1"),
    ];
    let usual = usual.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables = usual.iter().chain(settings);
    let layers = Layers {
        environment: variables
            .map(|(name, value)| (format!("CLEAVE__{name}"), value.clone()))
            .collect(),
        ..Layers::default()
    };
    let mut settings = Settings::load(&layers).expect("settings that fit");
    let folder = tempfile::tempdir().expect("a folder");
    settings.data_dir = folder.path().to_owned();
    settings.http.listen = "127.0.0.1:0".parse().expect("an address");
    settings.admin.email = Some(ADMIN.0.to_owned());
    settings.admin.password = Some(ADMIN.1.to_owned());
    put_on_postgres(&mut settings.database).await;
    let broker = broker(&mut settings).await;
    let service = Service::start(&settings, World::default(), false).await;
    let service = service.expect("the shop opens");
    let url = format!("http://{}", service.address());
    (House::Whole(service, folder, broker), vec![url])
}

/// One in a process for each of these parts.
async fn parts_of(parts: &str, settings: &[(String, String)]) -> (House, Vec<String>) {
    let parts: Vec<&str> = parts.split(' ').collect();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let deployment = Deployment::start(&parts, &settings).await;
    let urls = deployment.fronts();
    (House::Parts(deployment), urls)
}
