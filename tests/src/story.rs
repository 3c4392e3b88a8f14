//! A story: what a client asks of a program over HTTP and what it is told, put
//! down as a text for a snapshot. Everything that holds for every answer is
//! demanded while the story is told (identity of the request, security headers,
//! the shape of problems, the program's own document of its API), so that the
//! text shows what is particular. It knows the program by its address alone.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::schema::conforms;
use crate::shop::Shop;
use crate::snapshots::Mask;

/// Headers that are part of the contract; others are not shown.
const SHOWN: [&str; 12] = [
    "allow",
    "content-type",
    "deprecation",
    "etag",
    "idempotency-replayed",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "sunset",
    "www-authenticate",
];
/// Members whose values mean nothing to a reader, and come back in later requests.
const OPAQUE: [&str; 3] = ["access_token", "next_cursor", "refresh_token"];
/// A body that is longer stands on several lines.
const LINE: usize = 240;
/// Text that is longer is not written out.
const TEXT: usize = 100;

/// A story that is being told.
pub struct Story {
    http: reqwest::Client,
    base: String,
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
        let http = reqwest::Client::new();
        let base = shop.url().to_owned();
        let document = http.get(format!("{base}/api/openapi.json")).send().await;
        let document = document.expect("the program answers").json().await;
        Self {
            http,
            base,
            document: document.expect("a document"),
            mask: Mask::default(),
            opaque: Vec::new(),
            text: String::new(),
        }
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
            wanted: None,
        }
    }

    /// The story so far.
    pub fn text(&self) -> &str {
        self.text.trim_start()
    }

    /// A text without what differs from run to run.
    fn masked(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.opaque {
            text = text.replace(value, &format!("‹{name}›"));
        }
        self.mask.words(&text)
    }

    fn put_request(&mut self, ask: &Put<'_>) {
        let path = self.masked(ask.path);
        let who = ask.who.map_or(String::new(), |name| format!(" ({name})"));
        let _ = writeln!(self.text, "\n{} {path}{who}", ask.method);
        for (name, value) in ask.headers {
            let value = match name.as_str() {
                "last-event-id" => place_masked(value),
                "if-match" | "if-none-match" => digest_masked(value),
                _ if value.len() > TEXT => {
                    format!("{}… ({} characters)", &value[..10], value.len())
                }
                _ => self.masked(value),
            };
            let _ = writeln!(self.text, "{name}: {value}");
        }
        if let Some(body) = ask.body {
            let json = serde_json::from_str(body).ok();
            if let Some(json) = &json {
                self.learn(json);
            }
            let shown = match json.filter(|_| !ask.raw) {
                Some(json) => shown(json, body.len()),
                None => raw(body),
            };
            let shown = self.masked(&shown);
            let _ = writeln!(self.text, "{shown}");
        }
    }

    fn put_answer(&mut self, told: &Told, part: Option<fn(&Value) -> Value>) {
        self.learn(&told.body);
        let reason = http::StatusCode::from_u16(told.status).expect("a status");
        let _ = writeln!(self.text, "\n→ {reason}");
        for name in SHOWN {
            let mut values: Vec<_> = told.headers.get_all(name).iter().collect();
            values.sort();
            for value in values {
                let value = value.to_str().expect("ASCII");
                let value = match name {
                    "etag" => weight_masked(value),
                    _ => self.masked(value),
                };
                let _ = writeln!(self.text, "{name}: {value}");
            }
        }
        let shown = match (part, &told.body, told.text.as_str()) {
            (_, _, "") => return,
            (None, Value::Null, text) => {
                let lines = text.lines().map(|line| match line.strip_prefix("id: ") {
                    Some(place) => format!("id: {}\n", place_masked(place)),
                    None => format!("{line}\n"),
                });
                let text: String = lines.collect();
                self.masked(&text)
            }
            (None, body, _) => format!("{:#}", self.mask.document(body)),
            (Some(part), body, _) => format!("{:#}", self.mask.document(&part(body))),
        };
        let _ = writeln!(self.text, "{}", shown.trim_end());
    }

    /// Notes what is opaque, so that it is known where it comes again.
    fn learn(&mut self, body: &Value) {
        for name in OPAQUE {
            if let Some(value) = body[name].as_str().filter(|value| value.len() > 20) {
                self.opaque.push((value.to_owned(), name));
            }
        }
    }

    /// Demands that the document of the API knows of such an answer.
    fn demand_documented(&self, method: &Method, path: &str, told: &Told) {
        let path = path.split('?').next().unwrap_or_default();
        let Some(operation) = self.operation(method, path) else {
            return;
        };
        let status = told.status.to_string();
        let mut response = &operation["responses"][&status];
        assert!(
            !response.is_null(),
            "{method} {path}: the document does not know {status}"
        );
        if let Some(reference) = response["$ref"].as_str() {
            let target = self.document.pointer(reference.trim_start_matches('#'));
            response = target.expect("what the document refers to");
        }
        let kind = told.header("content-type");
        let schema = &response["content"][kind]["schema"];
        if kind == "application/json" {
            assert!(
                !schema.is_null(),
                "{method} {path}: no schema for {status} {kind}"
            );
            if let Err(fault) = conforms(&self.document, schema, &told.body) {
                panic!("{method} {path} → {status}: {fault}");
            }
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.document["paths"].as_object().expect("paths");
        let fits = |template: &&String| {
            let (mut ours, mut theirs) = (path.split('/'), template.split('/'));
            loop {
                match (ours.next(), theirs.next()) {
                    (None, None) => return true,
                    (Some(_), Some(hole)) if hole.starts_with('{') => {}
                    (Some(one), Some(other)) if one == other => {}
                    _ => return false,
                }
            }
        };
        let template = paths.get_key_value(path).map(|(template, _)| template);
        let template = template.or_else(|| paths.keys().find(fits))?;
        paths[template].get(method.as_str().to_lowercase())
    }
}

/// A request as it is put down.
struct Put<'a> {
    method: &'a Method,
    path: &'a str,
    who: Option<&'a str>,
    headers: &'a [(String, String)],
    body: Option<&'a str>,
    raw: bool,
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
            format!("{}{}", self.story.base, self.path),
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
        self.story.put_answer(&told, self.part);
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

/// What every answer must be.
fn demand_shape(told: &Told, sent: &[(String, String)]) {
    let correlation = told.header("x-correlation-id");
    assert!(
        (1..=128).contains(&correlation.len()) && correlation.bytes().all(|b| b.is_ascii_graphic()),
        "correlation id {correlation:?}"
    );
    let given = sent.iter().find(|(name, _)| name == "x-correlation-id");
    if let Some((_, given)) = given.filter(|(_, id)| id.len() <= 128 && !id.contains(' ')) {
        assert_eq!(given, correlation, "the correlation id is echoed");
    }
    assert_eq!(told.header("x-content-type-options"), "nosniff");
    assert_eq!(told.header("x-frame-options"), "DENY");
    assert!(!told.header("content-security-policy").is_empty());
    assert!(!told.header("cache-control").is_empty());
    if told.status >= 400 {
        let replayed = told.header("idempotency-replayed") == "true";
        demand_problem(told, correlation, replayed);
    }
}

/// RFC 9457, and our members beside it.
fn demand_problem(told: &Told, correlation: &str, replayed: bool) {
    assert_eq!(told.header("content-type"), "application/problem+json");
    let problem = &told.body;
    let code = problem["code"].as_str().expect("a code");
    let snake = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(code.bytes().all(snake), "{code}");
    assert_eq!(problem["type"], format!("urn:cleave:problem:{code}"));
    assert_eq!(problem["status"], told.status);
    for member in ["title", "detail"] {
        let text = problem[member].as_str();
        assert!(text.is_some_and(|text| !text.is_empty()), "{problem}");
    }
    // A replayed refusal is the first one, in the name of the request that got it.
    assert!(
        replayed || problem["correlation_id"] == correlation,
        "{problem}"
    );
    assert_eq!(code == "validation_failed", problem["errors"].is_array());
    let errors = problem["errors"].as_array().into_iter().flatten();
    for error in errors {
        let members: Vec<_> = error.as_object().expect("an error").keys().collect();
        assert_eq!(members, ["code", "field", "message"]);
    }
    assert_eq!(
        told.status == 401,
        !told.header("www-authenticate").is_empty()
    );
    assert!(told.status != 405 || !told.header("allow").is_empty());
    let must_wait = [429, 503].contains(&told.status);
    assert!(!must_wait || !told.header("retry-after").is_empty());
}

/// A body of so many bytes that is sent, in as many lines as it needs.
fn shown(json: Value, bytes: usize) -> String {
    let text = if bytes <= LINE {
        return abridged(json).to_string();
    } else {
        format!("{:#}", abridged(json))
    };
    if text.len() < 4000 {
        return text;
    }
    let start: String = text.chars().take(40).collect();
    format!("{start}… ({bytes} bytes)")
}

/// A body as it is sent, with what can't be seen said.
fn raw(body: &str) -> String {
    let blanks = body.len() - body.trim_end().len();
    let start: String = body.trim_end().chars().take(LINE).collect();
    match (blanks, body.len()) {
        (_, 0) => "‹nothing›".to_owned(),
        (0, _) => start,
        (blanks, bytes) => format!("{start}‹{blanks} blanks› ({bytes} bytes)"),
    }
}

/// Text that is long for length's sake says how long it is.
fn abridged(json: Value) -> Value {
    match json {
        Value::Object(members) => {
            let members = members.into_iter();
            members.map(|(name, it)| (name, abridged(it))).collect()
        }
        Value::Array(items) => items.into_iter().map(abridged).collect(),
        Value::String(text) if text.chars().count() > TEXT => {
            let start: String = text.chars().take(10).collect();
            format!("{start}… ({} characters)", text.chars().count()).into()
        }
        other => other,
    }
}

/// A reader's place in a stream of events.
fn place_masked(place: &str) -> String {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if place.split('-').count() == 3 && place.split('-').all(digits) {
        return "‹place›".to_owned();
    }
    place.to_owned()
}

/// A tag that says a version is shown, one that is a digest is not.
fn weight_masked(tag: &str) -> String {
    let inner = tag.trim_matches('"');
    let says_versions = inner.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if says_versions && !inner.starts_with('-') {
        return tag.to_owned();
    }
    let masked = digest_masked(tag);
    assert_ne!(masked, tag, "neither versions nor a digest");
    masked
}

fn digest_masked(tag: &str) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let inner = tag.trim_matches('"');
    if inner.len() == 16 && inner.bytes().all(fits) {
        return "\"‹digest›\"".to_owned();
    }
    tag.to_owned()
}
