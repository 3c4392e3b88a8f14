//! The writes that move a saga: its beginning, and each step's end with the
//! next one's start.

use std::sync::LazyLock;

use cleave_store::sql::{execute, query, query_one};
use cleave_store::{Change, Tx};
use cleave_vocabulary::{SagaId, Timestamp};
use sea_orm::{DbErr, Value};
use uuid::Uuid;

use super::row::Row;
use crate::position::Position;

/// Writes a new saga.
pub(crate) async fn insert(tx: &Tx, row: &Row) -> Result<(), DbErr> {
    static INSERT: LazyLock<Change> = LazyLock::new(|| {
        let columns = "id, kind, version, subject, status, phase, step, state, attempt, tries, \
            asked, data, correlation, trace, owner, fence, due_at, created_at, updated_at";
        Change::insert("saga", columns, "")
    });
    let values: [Value; 19] = [
        row.id.uuid().into(),
        row.kind.as_str().into(),
        i64::from(row.version).into(),
        row.subject.as_str().into(),
        row.at.status.as_str().into(),
        row.at.phase.as_str().into(),
        index(row.at.step),
        row.at.state.as_str().into(),
        i64::from(row.at.attempt).into(),
        i64::from(row.at.tries).into(),
        i64::from(row.at.asked).into(),
        row.data.as_str().into(),
        row.call.correlation.as_str().into(),
        row.call
            .trace
            .as_ref()
            .map(|t| t.as_str().to_owned())
            .into(),
        row.owner.into(),
        row.fence.into(),
        row.due_at.map(Timestamp::as_micros).into(),
        row.created_at.as_micros().into(),
        row.updated_at.as_micros().into(),
    ];
    INSERT.run(tx, values).await.map(drop)
}

pub(super) fn index(step: usize) -> Value {
    i64::try_from(step).unwrap_or(i64::MAX).into()
}

/// Who holds the saga after a move, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// As before: the claim is long enough.
    Same,
    /// The same owner, until then.
    Until(Timestamp),
    /// Nobody, until then; or for good.
    Released(Option<Timestamp>),
}

/// A move of a saga that `fence` gives the right to.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) id: SagaId,
    pub(crate) fence: i64,
    /// Where the mover believes it to be.
    pub(crate) from: &'a Position,
    /// Whether the mover knows of a cancellation.
    pub(crate) cancelled: bool,
    pub(crate) to: &'a Position,
    pub(crate) error: Option<&'a str>,
    pub(crate) data: String,
    pub(crate) hold: Hold,
    pub(crate) now: Timestamp,
}

impl Hold {
    const fn variant(self) -> usize {
        match self {
            Self::Same => 0,
            Self::Until(_) => 1,
            Self::Released(_) => 2,
        }
    }
}

/// Why a move was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missed {
    /// It is someone else's by now, or has moved already.
    Lost,
    /// It was cancelled meanwhile, for this reason.
    Cancelled(String),
}

impl Commit<'_> {
    /// Moves the row, if it stands where the mover believes.
    pub(crate) async fn apply(self, tx: &Tx) -> Result<Option<Missed>, DbErr> {
        let mut values: Vec<Value> = vec![
            self.to.status.as_str().into(),
            self.to.phase.as_str().into(),
            index(self.to.step),
            self.to.state.as_str().into(),
            i64::from(self.to.attempt).into(),
            i64::from(self.to.tries).into(),
            i64::from(self.to.asked).into(),
            self.error.map(str::to_owned).into(),
            self.data.into(),
            self.now.as_micros().into(),
        ];
        match self.hold {
            Hold::Same => {}
            Hold::Until(at) => values.push(at.as_micros().into()),
            Hold::Released(at) => values.push(at.map(Timestamp::as_micros).into()),
        }
        values.extend(guard(self.id, self.fence, self.from));
        let update = &UPDATES[usize::from(self.cancelled)][self.hold.variant()];
        if update.run(tx, values).await? {
            return Ok(None);
        }
        missed(tx, self.id, self.fence, self.from).await.map(Some)
    }
}

/// The statements that move a row: not cancelled and cancelled, by what becomes
/// of the claim. One that stays as it is must not touch the index over it.
static UPDATES: LazyLock<[[Change; 3]; 2]> = LazyLock::new(|| {
    let holds = ["", ", due_at = $11", ", owner = NULL, due_at = $11"];
    ["NULL", "NOT NULL"].map(|cancelled| holds.map(|hold| update(hold, cancelled)))
});

fn update(hold: &str, cancelled: &str) -> Change {
    let first = if hold.is_empty() { 11 } else { 12 };
    let set = format!(
        "status = $1, phase = $2, step = $3, state = $4, attempt = $5, tries = $6, asked = $7, \
         error = $8, data = $9, updated_at = $10{hold}"
    );
    let guard = format!(
        "{} AND cancel_reason IS {cancelled}",
        each_is(&GUARD[1..], first + 1)
    );
    let width = first + GUARD.len() - 1;
    Change::update("saga", width, &set, (GUARD[0], first), &guard)
}

/// The columns that [`guard`] gives the values of.
const GUARD: [&str; 7] = ["id", "fence", "phase", "step", "state", "attempt", "asked"];

/// The condition that [`guard`] gives the values of, from the `first` place on.
fn guarded(first: usize) -> String {
    each_is(&GUARD, first)
}

fn each_is(columns: &[&str], first: usize) -> String {
    let each: Vec<_> = columns
        .iter()
        .zip(first..)
        .map(|(column, place)| format!("{column} = ${place}"))
        .collect();
    each.join(" AND ")
}

fn guard(id: SagaId, fence: i64, at: &Position) -> [Value; 7] {
    [
        id.uuid().into(),
        fence.into(),
        at.phase.as_str().into(),
        index(at.step),
        at.state.as_str().into(),
        i64::from(at.attempt).into(),
        i64::from(at.asked).into(),
    ]
}

/// Tells a cancellation from a lost claim.
async fn missed(tx: &Tx, id: SagaId, fence: i64, at: &Position) -> Result<Missed, DbErr> {
    let sql = format!("SELECT cancel_reason FROM saga WHERE {}", guarded(1));
    let found = query_one(tx, sql, guard(id, fence, at)).await?;
    let reason: Option<String> = match found {
        Some(row) => row.try_get("", "cancel_reason")?,
        None => None,
    };
    Ok(reason.map_or(Missed::Lost, Missed::Cancelled))
}

/// Asks for a saga about `subject` to be compensated: those that can still turn
/// back, with the step each is at.
pub(crate) async fn cancel(
    tx: &Tx,
    subject: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<Row>, DbErr> {
    let sql = format!(
        "UPDATE saga SET cancel_reason = $1, updated_at = $2, \
         due_at = CASE WHEN owner IS NULL THEN $3 ELSE due_at END \
         WHERE subject = $4 AND phase = 'acting' AND status IN ('pending', 'waiting') \
         AND cancel_reason IS NULL RETURNING {}",
        super::COLUMNS
    );
    let now = now.as_micros();
    let values: [Value; 4] = [reason.into(), now.into(), now.into(), subject.into()];
    let found = query(tx, sql, values).await?;
    found.iter().map(Row::read).collect()
}

/// Puts a saga where a person wants it: nobody's, due at `due`, under a new
/// fence, so that whoever held it can no longer move it. False if it has moved.
pub(crate) async fn place(
    tx: &Tx,
    row: &Row,
    to: &Position,
    cancel_reason: Option<&str>,
    due: Timestamp,
) -> Result<bool, DbErr> {
    let sql = format!(
        "UPDATE saga SET status = $1, phase = $2, step = $3, state = $4, attempt = $5, tries = $6, \
         asked = $7, cancel_reason = $8, owner = NULL, due_at = $9, updated_at = $10, \
         fence = fence + 1 WHERE {} AND status = $18",
        guarded(11)
    );
    let mut values: Vec<Value> = vec![
        to.status.as_str().into(),
        to.phase.as_str().into(),
        index(to.step),
        to.state.as_str().into(),
        i64::from(to.attempt).into(),
        i64::from(to.tries).into(),
        i64::from(to.asked).into(),
        cancel_reason.map(str::to_owned).into(),
        due.as_micros().into(),
        due.as_micros().into(),
    ];
    values.extend(guard(row.id, row.fence, &row.at));
    values.push(row.at.status.as_str().into());
    Ok(execute(tx, sql, values).await? == 1)
}

/// Makes a claim last until `until`, if it is still held.
pub(crate) async fn renew(
    tx: &Tx,
    id: SagaId,
    fence: i64,
    owner: Uuid,
    until: Timestamp,
) -> Result<bool, DbErr> {
    let sql = "UPDATE saga SET due_at = $1 WHERE id = $2 AND fence = $3 AND owner = $4";
    let values: [Value; 4] = [
        until.as_micros().into(),
        id.uuid().into(),
        fence.into(),
        owner.into(),
    ];
    Ok(execute(tx, sql, values).await? == 1)
}
