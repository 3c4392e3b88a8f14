//! A story: what a client asks of a program over HTTP and what it is told, put
//! down as a text for a snapshot. Everything that holds for every answer is
//! demanded while the story is told (identity of the request, security headers,
//! the shape of problems, the program's own document of its API), so that the
//! text shows what is particular. It knows the program by its address alone,
//! or by its addresses where several are one to clients.

mod demands;
mod telling;

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use self::demands::demand_shape;
use self::telling::Put;
use crate::shop::{Client, Shop, http};
use crate::snapshots::Mask;

/// A story that is being told.
pub struct Story {
    http: reqwest::Client,
    /// Knows where to ask next.
    client: Client,
    document: Value,
    mask: Mask,
    opaque: Vec<(String, &'static str)>,
    text: String,
}

/// Somebody in a story.
#[derive(Debug, Clone)]
pub struct Somebody {
    name: String,
    /// Their access token.
    pub token: String,
}

/// A request, not sent yet.
pub struct Ask<'s> {
    story: &'s mut Story,
    method: Method,
    path: String,
    who: Option<Somebody>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// The body is shown as it is, and not as the JSON that it may be.
    raw: bool,
    left_out: Option<fn(&str) -> bool>,
    part: Option<fn(&Value) -> Value>,
    wanted: Option<fn(&Value) -> bool>,
}

/// An answer.
#[derive(Debug)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null where it is none or no JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Told {
    /// A header's text; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The `id` of what the body shows.
    ///
    /// # Panics
    /// Where it shows none.
    #[track_caller]
    pub fn id(&self) -> String {
        let id = self.body["id"].as_str();
        id.unwrap_or_else(|| panic!("no id: {}", self.text)).into()
    }
}

impl Shop {
    /// The admin, for a story.
    pub fn operator(&self) -> Somebody {
        Somebody {
            name: "admin".to_owned(),
            token: self.admin.clone(),
        }
    }

    /// A new customer, for a story.
    pub async fn customer(&self, name: &str) -> Somebody {
        Somebody::with(name, &self.client().customer(name).await)
    }

    /// A product with so many on the shelf.
    pub async fn product(&self, sku: &str, on_hand: i64) -> String {
        self.client().product(&self.admin, sku, on_hand).await
    }
}

impl Somebody {
    /// Whoever bears this token.
    pub fn with(name: &str, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            token: token.to_owned(),
        }
    }
}

impl Story {
    /// A story about a shop.
    ///
    /// # Panics
    /// Where the shop does not show the document of its API.
    pub async fn of(shop: &Shop) -> Self {
        // Bodies are asked for as they are: compression is the transport's affair.
        let http = http();
        let client = shop.client().clone();
        let document = format!("{}/api/openapi.json", client.url());
        let document = http.get(document).send().await;
        let document = document.expect("the program answers").json().await;
        Self {
            http,
            client,
            document: document.expect("a document"),
            mask: Mask::default(),
            opaque: Vec::new(),
            text: String::new(),
        }
    }

    /// The same, told at one front of several: of what each knows by itself.
    #[must_use]
    pub fn at_one_front(self) -> Self {
        let client = self.client.at_one_front();
        Self { client, ..self }
    }

    /// The document of the API, as the program serves it.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Says what comes next.
    pub fn note(&mut self, words: &str) {
        let _ = writeln!(self.text, "\n# {words}");
    }

    /// A GET to be sent.
    pub fn get(&mut self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    /// A POST to be sent.
    pub fn post(&mut self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::POST, path)
    }

    /// A PATCH to be sent.
    pub fn patch(&mut self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::PATCH, path)
    }

    /// A DELETE to be sent.
    pub fn delete(&mut self, path: impl Into<String>) -> Ask<'_> {
        self.ask(Method::DELETE, path)
    }

    /// Any request to be sent.
    pub fn ask(&mut self, method: Method, path: impl Into<String>) -> Ask<'_> {
        Ask {
            story: self,
            method,
            path: path.into(),
            who: None,
            headers: Vec::new(),
            body: None,
            raw: false,
            part: None,
            left_out: None,
            wanted: None,
        }
    }

    /// The story so far.
    pub fn text(&self) -> &str {
        self.text.trim_start()
    }
}

impl Ask<'_> {
    /// As somebody.
    pub fn by(mut self, who: &Somebody) -> Self {
        self.who = Some(who.clone());
        self
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an `Idempotency-Key`.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With a JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// With a body that says it is JSON, whatever it is.
    pub fn text(self, body: impl Into<String>) -> Self {
        self.typed("application/json", body)
    }

    /// With a body of this media type.
    pub fn typed(self, kind: &str, body: impl Into<String>) -> Self {
        let mut ask = self.header("content-type", kind);
        ask.body = Some(body.into());
        ask.raw = true;
        ask
    }

    /// With a body that does not say what it is.
    pub fn untyped(mut self, body: impl Into<String>) -> Self {
        self.headers.push(("content-type".into(), String::new()));
        self.body = Some(body.into());
        self.raw = true;
        self
    }

    /// Puts only a part of the answer down; all of it is still looked at.
    pub fn showing(mut self, part: fn(&Value) -> Value) -> Self {
        self.part = Some(part);
        self
    }

    /// Leaves some events of a stream out of what is put down: those that come when
    /// they come, which another look would see elsewhere among the rest.
    pub fn without(mut self, left_out: fn(&str) -> bool) -> Self {
        self.left_out = Some(left_out);
        self
    }

    /// Asks again until the body is as wanted, and puts only that answer down.
    /// Where things move on by themselves, another look could see something else.
    pub fn until(mut self, wanted: fn(&Value) -> bool) -> Self {
        self.wanted = Some(wanted);
        self
    }

    /// Sends it, and puts request and answer down.
    ///
    /// # Panics
    /// Where nobody answers, the answer is not as every answer must be, or what
    /// is waited for does not come within a minute.
    pub async fn send(self) -> Told {
        let untyped = |(name, value): &(String, String)| name == "content-type" && value.is_empty();
        let bare = self.headers.iter().any(untyped);
        let headers: Vec<_> = self.headers.into_iter().filter(|it| !untyped(it)).collect();
        let mut request = self.story.http.request(
            self.method.clone(),
            format!("{}{}", self.story.client.url(), self.path),
        );
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        if let Some(who) = &self.who {
            request = request.bearer_auth(&who.token);
        }
        if let Some(body) = &self.body {
            let named = headers.iter().any(|(name, _)| name == "content-type");
            if !bare && !named {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body.clone());
        }
        let told = answer(request, self.wanted).await;
        demand_shape(&told, &headers);
        self.story
            .demand_documented(&self.method, &self.path, &told);
        self.story.put_request(&Put {
            method: &self.method,
            path: &self.path,
            who: self.who.as_ref().map(|who| who.name.as_str()),
            headers: &headers,
            body: self.body.as_deref(),
            raw: self.raw,
        });
        self.story.put_answer(&told, self.part, self.left_out);
        told
    }
}

/// The first answer that is as wanted.
async fn answer(request: RequestBuilder, wanted: Option<fn(&Value) -> bool>) -> Told {
    for _ in 0..6000 {
        let again = request.try_clone().expect("a body that is held whole");
        let told = told(again.send().await.expect("the program answers")).await;
        if wanted.is_none_or(|wanted| wanted(&told.body)) {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be as wanted: {request:?}")
}

async fn told(answer: Response) -> Told {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("a body");
    Told {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    }
}
