//! Pages: `limit`, an opaque `cursor`, newest first, stable while rows are added.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// An opaque cursor: base64url over what the next page starts behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

impl Cursor {
    /// Wraps the place that a page ended at.
    pub fn encode(_place: &impl Serialize) -> Self {
        todo!()
    }
    /// The place; 422 `validation_failed` on `cursor` where it is none of ours.
    pub fn decode<P: DeserializeOwned>(&self) -> Result<P, Problem> {
        todo!()
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
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        todo!()
    }
}

/// A page of items.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page from up to `limit + 1` items; `place` gives an item's place for the cursor.
    pub fn cut<P: Serialize>(_items: Vec<T>, _paging: &Paging, _place: impl Fn(&T) -> P) -> Self {
        todo!()
    }
    /// The same page of something else.
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(map).collect(),
            next_cursor: self.next_cursor,
        }
    }
}
