//! Pages: `limit`, an opaque `cursor`, newest first, stable while rows are
//! added. A cursor says what the page ended at, so that the next one starts
//! behind it whatever was added before it since.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{FieldError, Problem};

const DEFAULT: u64 = 20;
const MOST: u64 = 100;

/// An opaque cursor: base64url over what the next page starts behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

impl Cursor {
    /// Wraps the place that a page ended at.
    pub fn encode(place: &impl Serialize) -> Self {
        // A place is made of ids and times, which are always JSON.
        let json = serde_json::to_vec(place).unwrap_or_default();
        Self(URL_SAFE_NO_PAD.encode(json))
    }

    /// The place; 422 `validation_failed` on `cursor` where it is none of ours.
    pub fn decode<P: DeserializeOwned>(&self) -> Result<P, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| {
                Problem::invalid_field(
                    "cursor",
                    "invalid",
                    "must be the `next_cursor` of an earlier page",
                )
            })
    }
}

/// `?limit=` (1 to 100, default 20) and `?cursor=`; 422 where they are not.
#[derive(Debug, Clone)]
pub struct Paging {
    /// How many items at the most.
    pub limit: u64,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of_query(parts.uri.query().unwrap_or_default())
            .map_err(|error| Problem::validation(vec![error]))
    }
}

impl Paging {
    fn of_query(query: &str) -> Result<Self, FieldError> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query).map_err(|_| unreadable())?;
        let given = |name: &str| pairs.iter().find(|(key, _)| key == name);
        let limit = match given("limit") {
            None => DEFAULT,
            Some((_, text)) => limit(text)?,
        };
        let cursor = given("cursor").map(|(_, text)| Cursor(text.clone()));
        Ok(Self { limit, cursor })
    }
}

fn limit(text: &str) -> Result<u64, FieldError> {
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| {
        FieldError::new(
            "limit",
            "out_of_range",
            format!("must be a whole number from 1 to {MOST}"),
        )
    })
}

fn unreadable() -> FieldError {
    FieldError::new(
        "query",
        "invalid",
        "must be a query string of names and values",
    )
}

/// A page of items.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; null on the last page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page from up to `limit + 1` items; `place` gives an item's place for the cursor.
    pub fn cut<P: Serialize>(mut items: Vec<T>, paging: &Paging, place: impl Fn(&T) -> P) -> Self {
        let limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|item| Cursor::encode(&place(item)).0);
        Self { items, next_cursor }
    }

    /// The same page of something else.
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(map).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_one_to_a_hundred() {
        assert_eq!(Paging::of_query("").expect("default").limit, 20);
        assert_eq!(Paging::of_query("a=b&limit=100").expect("most").limit, 100);
        for query in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit="] {
            let error = Paging::of_query(query).expect_err(query);
            assert_eq!(error.field, "limit");
        }
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let paging = Paging {
            limit: 2,
            cursor: None,
        };
        let page = Page::cut(vec![9, 8, 7], &paging, |item| *item);
        assert_eq!(page.items, [9, 8]);
        let cursor = Cursor(page.next_cursor.expect("there is more"));
        assert_eq!(cursor.decode::<i32>().expect("ours"), 8);
        assert_eq!(
            Page::cut(vec![9, 8], &paging, |item| *item).next_cursor,
            None
        );
    }

    #[test]
    fn a_foreign_cursor_is_named() {
        for text in ["", "?", "bm90IGpzb24", "InRleHQi"] {
            let problem = Cursor(text.into()).decode::<i64>().expect_err(text);
            assert_eq!(problem.errors[0].field, "cursor");
        }
    }
}
