//! Operators' routes over several processes. Each process answers for the
//! contexts that it has; here their lists become one, in the order that one
//! process would have, and what only one of them knows is asked of all at once.
//! Who did not answer is named (`unanswered`). Each verifies the operator itself.

use std::borrow::Borrow;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cleave_web::{Cursor, Paging, Problem};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::each;
use super::others::{Others, PATIENCE, Process};
use crate::internal::ASKER;

/// What a page of one process may have, in bytes.
pub(super) const PAGE_LIMIT: usize = 8 * 1024 * 1024;

/// What the middleware knows.
#[derive(Clone)]
pub(super) struct Gather {
    pub(super) others: Others,
    pub(super) body_limit: usize,
}

/// Middleware around the operators' routes of this process.
pub(super) async fn gather(State(all): State<Gather>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, all.body_limit).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Some(name) = all.others.own_name() {
        parts.headers.insert(ASKER, name.clone());
    }
    let asked = Asked { parts, body };
    let route = asked.parts.extensions.get().map(MatchedPath::as_str);
    let list = route.and_then(|route| List::of(&asked.parts.method, route));
    let whole = route.is_some_and(|route| WHOLE.contains(&route));
    let moves_a_breaker = each::moves_a_breaker(&asked.parts.method, route);
    let own = next.clone().run(asked.request()).await;
    match (list, own.status()) {
        (Some(list), StatusCode::OK) => all.merged(&asked, list, own).await,
        (None, StatusCode::OK | StatusCode::NOT_FOUND) if moves_a_breaker => {
            each::moved(&all.others, &asked, own, next).await
        }
        (None, StatusCode::NOT_FOUND) if !whole => all.who_knows(&asked, own).await,
        _ => own,
    }
}

/// Routes whose handlers ask the other processes themselves.
const WHOLE: [&str; 2] = ["/api/v1/ops/topology", crate::ops::AUDIT];

/// A request that is asked more than once.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) parts: Parts,
    body: Bytes,
}

impl Asked {
    pub(super) fn request(&self) -> Request {
        Request::from_parts(self.parts.clone(), Body::from(self.body.clone()))
    }
}

/// The lists, each with its order.
#[derive(Clone, Copy)]
enum List {
    Sagas,
    DeadLetters,
    Breakers,
}

impl List {
    fn of(method: &Method, route: &str) -> Option<Self> {
        match (method, route) {
            (&Method::GET, "/api/v1/ops/sagas") => Some(Self::Sagas),
            (&Method::GET, "/api/v1/ops/dead-letters") => Some(Self::DeadLetters),
            (&Method::GET, "/api/v1/ops/breakers") => Some(Self::Breakers),
            _ => None,
        }
    }

    /// In the order that one process has. Replicas of a context tell of the same
    /// sagas and letters; its breakers each has for itself, and they are shown as one.
    fn in_order(self, items: &mut Vec<Item>) {
        match self {
            Self::Sagas => {
                items.sort_by(|one, other| other.head.id.cmp(&one.head.id));
                items.dedup_by(|one, other| one.head.id == other.head.id);
            }
            Self::DeadLetters => {
                items.sort_by(|one, other| other.letter().cmp(&one.letter()));
                items.dedup_by(|one, other| one.letter() == other.letter());
            }
            Self::Breakers => {
                items.sort_by(|one, other| one.head.name.cmp(&other.head.name));
                items.dedup_by(|other, one| one.is_joined_by(other));
            }
        }
    }
}

/// A page as it travels; its items stay as their process wrote them.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
    /// The contexts whose process did not answer; left out where all did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unanswered: Vec<String>,
}

struct Item {
    head: Head,
    text: Box<RawValue>,
}

/// What an item's place in its list depends on.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    id: String,
    event_id: String,
    name: String,
}

impl Item {
    fn of(text: Box<RawValue>) -> Self {
        let head = serde_json::from_str(text.get()).unwrap_or_default();
        Self { head, text }
    }

    /// A dead letter's place: its event, then its handler.
    fn letter(&self) -> (&str, &str) {
        let rest = self.head.id.strip_suffix(&self.head.event_id);
        (&self.head.event_id, rest.unwrap_or(&self.head.id))
    }

    /// Whether the other is of the same breaker, and has become a part of this one.
    fn is_joined_by(&mut self, other: &Self) -> bool {
        let same = self.head.name == other.head.name;
        let joined = same.then(|| crate::ops::joined(&self.text, &other.text));
        let Some(Some(text)) = joined else {
            return false;
        };
        self.text = text;
        true
    }
}

impl Gather {
    async fn merged(&self, asked: &Asked, list: List, own: Response) -> Response {
        let Some(mut whole) = page(own).await else {
            return Problem::internal(&"a page of this process can't be read").into_response();
        };
        match list {
            List::Breakers => each::listed(&self.others, asked, &mut whole).await,
            List::Sagas | List::DeadLetters => self.add(asked, &mut whole).await,
        }
        match cut(whole, list, &mut asked.parts.clone()).await {
            Ok(page) => json(&page),
            Err(problem) => problem.into_response(),
        }
    }

    /// Adds a page of each other process, of its replicas one's.
    async fn add(&self, asked: &Asked, whole: &mut Page) {
        let ask = async |process: &Arc<Process>| {
            let told = async { read(process.ask(asked.request()).await.ok()).await };
            let told = tokio::time::timeout(PATIENCE, told).await;
            (process.contexts.clone(), told.ok().flatten())
        };
        for (contexts, answer) in join_all(self.others.iter().map(ask)).await {
            match answer {
                Some(page) => {
                    whole.items.extend(page.items);
                    whole.next_cursor = whole.next_cursor.take().or(page.next_cursor);
                }
                None => whole
                    .unanswered
                    .extend(contexts.iter().map(ToString::to_string)),
            }
        }
    }

    /// What this process does not know, another may.
    async fn who_knows(&self, asked: &Asked, own: Response) -> Response {
        let ask = async |process: &Arc<Process>| {
            let answer = within(&asked.parts.method, process.ask(asked.request()));
            (process.contexts.clone(), answer.await)
        };
        let mut silent = Vec::new();
        let mut answers: FuturesUnordered<_> = self.others.iter().map(ask).collect();
        while let Some((contexts, answer)) = answers.next().await {
            match answer {
                Some(answer) if answer.status() != StatusCode::NOT_FOUND => return answer,
                Some(_) => {}
                None => silent.extend_from_slice(&contexts),
            }
        }
        if silent.is_empty() {
            return own;
        }
        nobody_knows(&silent)
    }
}

/// Nobody knows it, of those who answered.
pub(super) fn nobody_knows<N: Borrow<str>>(silent: &[N]) -> Response {
    let reason = format!("{} may know it, and did not answer", silent.join(", "));
    Problem::unavailable(&reason).into_response()
}

/// An answer; to a question it is not waited for long. What changes something has
/// the time of its request.
async fn within(
    method: &Method,
    asked: impl Future<Output = Result<Response, Problem>>,
) -> Option<Response> {
    if method.is_safe() {
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        answer.ok()?.ok()
    } else {
        asked.await.ok()
    }
}

/// As much of the whole as was asked for. A list without pages has no cursors.
async fn cut(whole: Page, list: List, parts: &mut Parts) -> Result<Page, Problem> {
    let limit = match list {
        List::Breakers => usize::MAX,
        List::Sagas | List::DeadLetters => {
            let paging = Paging::from_request_parts(parts, &()).await?;
            usize::try_from(paging.limit).unwrap_or(usize::MAX)
        }
    };
    let mut items: Vec<Item> = whole.items.into_iter().map(Item::of).collect();
    list.in_order(&mut items);
    let more = items.len() > limit || whole.next_cursor.is_some();
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    Ok(Page {
        next_cursor: last.map(|item| Cursor::encode(&item.head.id).0),
        items: items.into_iter().map(|item| item.text).collect(),
        unanswered: whole.unanswered,
    })
}

async fn read(answer: Option<Response>) -> Option<Page> {
    let answer = answer.filter(|answer| answer.status() == StatusCode::OK);
    page(answer?).await
}

pub(super) async fn page(answer: Response) -> Option<Page> {
    let bytes = to_bytes(answer.into_body(), PAGE_LIMIT).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn json(page: &Page) -> Response {
    let bytes = serde_json::to_vec(page).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], bytes).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole(items: &[&str], next: Option<&str>) -> Page {
        let raw = |text: &&str| RawValue::from_string((*text).to_owned()).expect("JSON");
        Page {
            items: items.iter().map(raw).collect(),
            next_cursor: next.map(str::to_owned),
            unanswered: Vec::new(),
        }
    }

    async fn cut_to(limit: &str, list: List, whole: Page) -> (Vec<String>, Option<String>) {
        let uri = format!("/api/v1/ops/sagas?limit={limit}");
        let request = http::Request::builder().uri(uri).body(()).expect("right");
        let page = cut(whole, list, &mut request.into_parts().0).await;
        let page = page.unwrap_or_else(|problem| panic!("{problem:?}"));
        let items = page.items.iter().map(|item| item.get().to_owned());
        (items.collect(), page.next_cursor)
    }

    #[tokio::test]
    async fn pages_of_several_processes_are_one_newest_first_and_go_on_behind_its_last() {
        let all = [
            r#"{"id":"sga_2"}"#,
            r#"{"id":"sga_1"}"#,
            r#"{"id": "sga_3"}"#,
        ];
        let (items, next) = cut_to("2", List::Sagas, whole(&all, None)).await;
        assert_eq!(items, [all[2], all[0]]);
        assert_eq!(next, Some(Cursor::encode(&"sga_2").0));
        let (items, next) = cut_to("3", List::Sagas, whole(&all, None)).await;
        assert_eq!((items.len(), next), (3, None));
        let (_, next) = cut_to("3", List::Sagas, whole(&all, Some("more"))).await;
        assert_eq!(next, Some(Cursor::encode(&"sga_1").0));
    }

    #[tokio::test]
    async fn what_replicas_both_tell_of_is_told_once() {
        let sagas = [
            r#"{"id":"sga_1"}"#,
            r#"{"id":"sga_2"}"#,
            r#"{"id":"sga_1"}"#,
        ];
        let (items, next) = cut_to("2", List::Sagas, whole(&sagas, None)).await;
        assert_eq!(
            (items, next),
            (vec![sagas[1].into(), sagas[0].into()], None)
        );
        let letter = r#"{"id":"a:evt_1","event_id":"evt_1"}"#;
        let other = r#"{"id":"b:evt_1","event_id":"evt_1"}"#;
        let letters = whole(&[letter, other, letter], None);
        let (items, _) = cut_to("9", List::DeadLetters, letters).await;
        assert_eq!(items, [other, letter]);
    }

    #[tokio::test]
    async fn breakers_of_one_name_are_one_with_all_their_calls_and_the_gravest_state() {
        let breaker = |name: &str, state: &str, calls: u64| {
            let breaker = json!({
                "name": name, "state": state, "calls": calls, "failures": 1, "refusals": 0,
                "slow": 0, "retries": 0, "rejected": 2, "in_flight": 3,
            });
            breaker.to_string()
        };
        let all = [
            breaker("order.payment", "closed", 5),
            breaker("order.inventory", "half_open", 1),
            breaker("order.payment", "open", 7),
            breaker("order.payment", "half_open", 1),
            breaker("order.inventory", "closed", 1),
        ];
        let told: Vec<&str> = all.iter().map(String::as_str).collect();
        let (items, _) = cut_to("9", List::Breakers, whole(&told, None)).await;
        let items: Vec<serde_json::Value> = items
            .iter()
            .map(|item| serde_json::from_str(item).expect("JSON"))
            .collect();
        assert_eq!(items.len(), 2, "{items:?}");
        assert_eq!(items[0]["state"], "half_open");
        let payment = json!({
            "name": "order.payment", "state": "open", "calls": 13, "failures": 3, "refusals": 0,
            "slow": 0, "retries": 0, "rejected": 6, "in_flight": 9,
        });
        assert_eq!(items[1], payment);
    }

    #[tokio::test]
    async fn each_list_has_its_own_order() {
        let letters = [
            r#"{"id":"a:evt_1","event_id":"evt_1"}"#,
            r#"{"id":"b:evt_1","event_id":"evt_1"}"#,
            r#"{"id":"a:evt_2","event_id":"evt_2"}"#,
        ];
        let (items, _) = cut_to("9", List::DeadLetters, whole(&letters, None)).await;
        assert_eq!(items, [letters[2], letters[1], letters[0]]);
        let breakers = [
            r#"{"name":"shipping.carrier"}"#,
            r#"{"name":"order.payment"}"#,
        ];
        let (items, next) = cut_to("1", List::Breakers, whole(&breakers, None)).await;
        assert_eq!(
            (items, next),
            (vec![breakers[1].to_owned(), breakers[0].to_owned()], None)
        );
    }
}
