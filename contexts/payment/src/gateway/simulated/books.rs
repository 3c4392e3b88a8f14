//! The simulated gateway's books: what was asked for, under which key, and what
//! it came to. One row to a key, so that a key takes money at most once; on the
//! way of every order it costs one statement.

use std::sync::LazyLock;

use cleave_store::sql::{execute, in_list, query, query_one, signed};
use cleave_store::{Change, Tx, Unit, UnitError};
use cleave_vocabulary::{Money, Refusal, Timestamp};
use sea_orm::{DbErr, QueryResult, Value};

use super::{BookEntry, ChargeOutcome};

/// What the gateway makes of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Declined(String),
}

/// A charge, about to be written.
#[derive(Debug, Clone)]
pub(super) struct Booked {
    pub(super) reference: String,
    pub(super) key: String,
    pub(super) amount: Money,
    pub(super) verdict: Verdict,
    pub(super) at: Timestamp,
}

const TAKEN: &str = "taken";
const DECLINED: &str = "declined";
const VOIDED: &str = "voided";
/// A flaky charge that has not succeeded yet.
const FAILING: &str = "failing";

static BOOK: LazyLock<Change> = LazyLock::new(|| {
    let columns = "reference, key, amount, currency, outcome, message, created_at";
    Change::insert(
        "gateway_charges",
        columns,
        "ON CONFLICT (reference) DO NOTHING",
    )
});

/// Writes the charge unless its key is written already; gives the outcome that holds.
pub(super) async fn book(tx: &Tx, charge: &Booked) -> Unit<ChargeOutcome, Refusal> {
    let (outcome, message) = match &charge.verdict {
        Verdict::Taken => (TAKEN, None),
        Verdict::Declined(message) => (DECLINED, Some(message.clone())),
    };
    if BOOK.run(tx, values(charge, outcome, message)).await? {
        return Ok(of(charge));
    }
    settled(tx, charge).await
}

const BOOK_FLAKY: &str = "INSERT INTO gateway_charges \
    (reference, key, amount, currency, outcome, message, created_at, attempts) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, 1) \
    ON CONFLICT (reference) DO UPDATE SET attempts = gateway_charges.attempts + 1 \
    RETURNING attempts, outcome";

const SUCCEED: &str = "UPDATE gateway_charges SET outcome = 'taken' WHERE reference = $1";

/// As [`book`], but `None` for the first `faults` times.
pub(super) async fn book_flaky(
    tx: &Tx,
    charge: &Booked,
    faults: i64,
) -> Unit<Option<ChargeOutcome>, Refusal> {
    let row = query_one(tx, BOOK_FLAKY, values(charge, FAILING, None))
        .await?
        .ok_or_else(lost)?;
    if row.try_get::<String>("", "outcome")? != FAILING {
        return settled(tx, charge).await.map(Some);
    }
    if row.try_get::<i64>("", "attempts")? <= faults {
        return Ok(None);
    }
    execute(tx, SUCCEED, [charge.reference.clone().into()]).await?;
    Ok(Some(of(charge)))
}

const FIND: &str = "SELECT reference, key, amount, currency, outcome, message, refunded_amount \
    FROM gateway_charges WHERE reference = $1";

/// The outcome that is written already, if it was asked for with the same amount.
async fn settled(tx: &Tx, charge: &Booked) -> Unit<ChargeOutcome, Refusal> {
    let row = query_one(tx, FIND, [charge.reference.clone().into()])
        .await?
        .ok_or_else(lost)?;
    let outcome = row.try_get::<String>("", "outcome")?;
    if outcome != VOIDED && entry(&row)?.amount != charge.amount {
        let words = "the key belongs to a charge of another amount";
        return Err(UnitError::Refused(Refusal::new("key_reused", words)));
    }
    Ok(outcome_of(&row)?.ok_or_else(lost)?)
}

/// What became of a charge.
pub(super) async fn outcome(tx: &Tx, reference: &str) -> Result<Option<ChargeOutcome>, DbErr> {
    match query_one(tx, FIND, [reference.into()]).await? {
        Some(row) => outcome_of(&row),
        None => Ok(None),
    }
}

/// What was never asked for has no amount, and ISO 4217's `XXX`: no currency.
const VOID: &str = "INSERT INTO gateway_charges \
    (reference, key, amount, currency, outcome, created_at) \
    VALUES ($1, $2, 0, 'XXX', 'voided', $3) \
    ON CONFLICT (reference) DO UPDATE SET outcome = \
    CASE gateway_charges.outcome WHEN 'failing' THEN 'voided' ELSE gateway_charges.outcome END \
    RETURNING reference, outcome, message";

/// Makes sure that a charge which has not taken money never will.
pub(super) async fn void(
    tx: &Tx,
    reference: &str,
    key: &str,
    at: Timestamp,
) -> Unit<ChargeOutcome, Refusal> {
    let values = [reference.into(), key.into(), at.as_micros().into()];
    let row = query_one(tx, VOID, values).await?.ok_or_else(lost)?;
    Ok(outcome_of(&row)?.ok_or_else(lost)?)
}

const REFUND: &str = "INSERT INTO gateway_refunds \
    (reference, charge_reference, amount, created_at) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (reference) DO NOTHING";

const GIVE_BACK: &str = "UPDATE gateway_charges SET refunded_amount = refunded_amount + $1 \
    WHERE reference = $2 AND outcome = 'taken' AND amount - refunded_amount >= $3 \
    AND currency = $4";

/// Gives money back, once for each reference, and never more than was taken.
pub(super) async fn refund(
    tx: &Tx,
    reference: &str,
    charge: &str,
    amount: Money,
    at: Timestamp,
) -> Unit<(), Refusal> {
    let values = [
        reference.into(),
        charge.into(),
        amount.amount.into(),
        at.as_micros().into(),
    ];
    if execute(tx, REFUND, values).await? == 0 {
        return Ok(());
    }
    let values = [
        amount.amount.into(),
        charge.into(),
        amount.amount.into(),
        amount.currency.code().into(),
    ];
    if execute(tx, GIVE_BACK, values).await? == 0 {
        let words = "the charge does not hold so much";
        return Err(UnitError::Refused(Refusal::new("refund_refused", words)));
    }
    Ok(())
}

/// The charges with these references that took money.
pub(super) async fn taken(tx: &Tx, references: &[String]) -> Result<Vec<BookEntry>, DbErr> {
    const TAKEN_OF: &str = "SELECT reference, key, amount, currency, refunded_amount \
         FROM gateway_charges WHERE outcome = 'taken' AND reference IN ";
    let sql = in_list(TAKEN_OF, 1, references.len());
    let values: Vec<Value> = references.iter().map(|text| text.as_str().into()).collect();
    many(tx, &sql, values).await
}

const TAKEN_AFTER: &str = "SELECT reference, key, amount, currency, refunded_amount \
    FROM gateway_charges WHERE reference > $1 AND outcome = 'taken' ORDER BY reference LIMIT $2";

/// The next charges that took money.
pub(super) async fn taken_after(tx: &Tx, after: &str, limit: u64) -> Result<Vec<BookEntry>, DbErr> {
    many(tx, TAKEN_AFTER, vec![after.into(), signed(limit).into()]).await
}

fn values(charge: &Booked, outcome: &str, message: Option<String>) -> [Value; 7] {
    [
        charge.reference.clone().into(),
        charge.key.clone().into(),
        charge.amount.amount.into(),
        charge.amount.currency.code().into(),
        outcome.into(),
        message.into(),
        charge.at.as_micros().into(),
    ]
}

fn of(charge: &Booked) -> ChargeOutcome {
    match &charge.verdict {
        Verdict::Taken => ChargeOutcome::Taken {
            reference: charge.reference.clone(),
        },
        Verdict::Declined(message) => ChargeOutcome::Declined {
            message: message.clone(),
        },
    }
}

fn outcome_of(row: &QueryResult) -> Result<Option<ChargeOutcome>, DbErr> {
    Ok(match row.try_get::<String>("", "outcome")?.as_str() {
        TAKEN => Some(ChargeOutcome::Taken {
            reference: row.try_get("", "reference")?,
        }),
        DECLINED => Some(ChargeOutcome::Declined {
            message: row
                .try_get::<Option<String>>("", "message")?
                .unwrap_or_default(),
        }),
        VOIDED => Some(ChargeOutcome::Voided),
        _ => None,
    })
}

fn entry(row: &QueryResult) -> Result<BookEntry, DbErr> {
    let currency = row
        .try_get::<String>("", "currency")?
        .parse()
        .map_err(|error| DbErr::Type(format!("gateway_charges.currency: {error}")))?;
    Ok(BookEntry {
        key: row.try_get("", "key")?,
        reference: row.try_get("", "reference")?,
        amount: Money::new(row.try_get("", "amount")?, currency),
        refunded: Money::new(row.try_get("", "refunded_amount")?, currency),
    })
}

async fn many(tx: &Tx, sql: &str, values: Vec<Value>) -> Result<Vec<BookEntry>, DbErr> {
    let rows = query(tx, sql, values).await?;
    rows.iter().map(entry).collect()
}

fn lost() -> DbErr {
    DbErr::Custom("a charge is gone from the simulated gateway's books".to_owned())
}
