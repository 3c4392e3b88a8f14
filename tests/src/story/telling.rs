//! How requests and answers are put down: what a reader needs, and nothing that
//! differs from run to run.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::Value;

use super::{Story, Told};

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

/// A request as it is put down.
pub(super) struct Put<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) who: Option<&'a str>,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Option<&'a str>,
    pub(super) raw: bool,
}

impl Story {
    /// A text without what differs from run to run.
    fn masked(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.opaque {
            text = text.replace(value, &format!("‹{name}›"));
        }
        self.mask.words(&text)
    }

    pub(super) fn put_request(&mut self, ask: &Put<'_>) {
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

    pub(super) fn put_answer(
        &mut self,
        told: &Told,
        part: Option<fn(&Value) -> Value>,
        left_out: Option<fn(&str) -> bool>,
    ) {
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
                let blocks = text.split_inclusive("\n\n");
                let put = |block: &&str| !left_out.is_some_and(|left_out| left_out(block));
                let lines = blocks.filter(put).flat_map(str::lines);
                let lines = lines.map(|line| match line.strip_prefix("id: ") {
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
