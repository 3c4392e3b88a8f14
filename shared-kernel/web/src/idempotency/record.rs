//! The table `idempotency`: one row for each key, written in the unit of its effect.

use std::sync::LazyLock;

use cleave_store::sql::{execute, query_one};
use cleave_store::{Change, Tx};
use cleave_vocabulary::Timestamp;
use http::{HeaderValue, StatusCode};
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;

use super::Answer;
use super::seal::Seal;

/// Rows that one unit of a sweep deletes: it shares its writer with orders.
pub(super) const SWEPT_AT_ONCE: u64 = 500;

static INSERT: LazyLock<Change> = LazyLock::new(|| {
    let columns = "key_hash, digest, status, location, etag, body, sealed, created_at";
    Change::insert("idempotency", columns, "ON CONFLICT (key_hash) DO NOTHING")
});

const FIND: &str = "SELECT digest, status, location, etag, body, sealed, created_at \
    FROM idempotency WHERE key_hash = $1";

const FORGET: &str = "DELETE FROM idempotency WHERE key_hash = $1 AND created_at < $2";

/// Ids rise with time, so that the oldest rows are found without an index of their own.
const SWEEP: &str = "DELETE FROM idempotency WHERE id IN (SELECT id FROM \
    (SELECT id, created_at FROM idempotency ORDER BY id LIMIT 500) AS oldest \
    WHERE created_at < $1)";

/// A key, and the request that asks under it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: Uuid,
    pub(super) digest: Uuid,
    pub(super) at: Timestamp,
}

/// What was recorded under a key.
pub(super) struct Found {
    /// Whether the body was the same.
    pub(super) same: bool,
    pub(super) at: Timestamp,
    pub(super) answer: Answer,
}

/// Takes the key with its outcome; false where it is taken.
pub(super) async fn insert(
    tx: &Tx,
    place: &Place,
    answer: &Answer,
    seal: &Seal,
) -> Result<bool, DbErr> {
    let body = if answer.sealed {
        seal.close(place.key, &answer.body)?
    } else {
        String::from_utf8(answer.body.clone())
            .map_err(|_| DbErr::Custom("the body of a recorded answer is not UTF-8".to_owned()))?
    };
    let values = [
        place.key.into(),
        place.digest.into(),
        i64::from(answer.status.as_u16()).into(),
        text(answer.location.as_ref()).into(),
        text(answer.etag.as_ref()).into(),
        body.into(),
        answer.sealed.into(),
        place.at.as_micros().into(),
    ];
    INSERT.run(tx, values).await
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    value?.to_str().ok().map(str::to_owned)
}

/// What is recorded under the key.
pub(super) async fn find(tx: &Tx, place: &Place, seal: &Seal) -> Result<Option<Found>, DbErr> {
    let row = query_one(tx, FIND, [place.key.into()]);
    row.await?.map(|row| read(&row, place, seal)).transpose()
}

fn read(row: &QueryResult, place: &Place, seal: &Seal) -> Result<Found, DbErr> {
    let digest: Uuid = row.try_get("", "digest")?;
    let body: String = row.try_get("", "body")?;
    let sealed: bool = row.try_get("", "sealed")?;
    let same = digest == place.digest;
    let body = match sealed {
        // Another body gets no answer, so there is nothing to open for it.
        true if same => seal.open(place.key, &body)?,
        true => Vec::new(),
        false => body.into_bytes(),
    };
    Ok(Found {
        same,
        at: Timestamp::from_micros(row.try_get("", "created_at")?),
        answer: Answer {
            status: status(row.try_get("", "status")?)?,
            location: header(row.try_get("", "location")?),
            etag: header(row.try_get("", "etag")?),
            body,
            sealed,
        },
    })
}

fn status(code: i64) -> Result<StatusCode, DbErr> {
    u16::try_from(code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| DbErr::Custom(format!("{code} is not an HTTP status")))
}

fn header(text: Option<String>) -> Option<HeaderValue> {
    HeaderValue::try_from(text?).ok()
}

/// Frees the key where its outcome is older than `before`.
pub(super) async fn forget(tx: &Tx, place: &Place, before: Timestamp) -> Result<(), DbErr> {
    let values = [place.key.into(), before.as_micros().into()];
    execute(tx, FORGET, values).await.map(drop)
}

/// Deletes some rows older than `before`; returns how many.
pub(super) async fn sweep(tx: &Tx, before: Timestamp) -> Result<u64, DbErr> {
    let values = [before.as_micros().into()];
    execute(tx, SWEEP, values).await
}
