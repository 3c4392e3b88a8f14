//! The table `leases`: one statement to each change, alike on both databases.

use cleave_store::Tx;
use cleave_store::sql::{execute, query, query_one};
use cleave_vocabulary::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};

/// Takes the lease `name` where nobody holds it at `now`; the token of the new
/// term, which is higher than every one before it.
pub async fn acquire(
    tx: &Tx,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<i64>, DbErr> {
    const ACQUIRE: &str = "INSERT INTO leases (name, holder, token, held_until) \
         VALUES ($1, $2, 1, $3) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
         token = leases.token + 1, held_until = excluded.held_until \
         WHERE leases.held_until <= $4 RETURNING token";
    let values: [Value; 4] = [
        name.into(),
        holder.into(),
        until.as_micros().into(),
        now.as_micros().into(),
    ];
    let row = query_one(tx, ACQUIRE, values).await?;
    row.map(|row| row.try_get("", "token")).transpose()
}

/// Makes a term last until `until`; false where it is over.
pub async fn renew(tx: &Tx, name: &str, token: i64, until: Timestamp) -> Result<bool, DbErr> {
    const RENEW: &str = "UPDATE leases SET held_until = $1 WHERE name = $2 AND token = $3";
    let values: [Value; 3] = [until.as_micros().into(), name.into(), token.into()];
    Ok(execute(tx, RENEW, values).await? == 1)
}

/// Gives a term back, so that the next holder need not wait for its end.
pub async fn release(tx: &Tx, name: &str, token: i64) -> Result<bool, DbErr> {
    renew(tx, name, token, Timestamp::EPOCH).await
}

/// Whether the term still is the last that began. On Postgres the row stays as it
/// is until the unit has ended, so that no other term begins in between.
pub async fn holds(tx: &Tx, name: &str, token: i64) -> Result<bool, DbErr> {
    const HOLDS: &str = "SELECT token FROM leases WHERE name = $1 AND token = $2";
    let sql = match tx.get_database_backend() {
        // Units come one after the other there.
        DbBackend::Sqlite => HOLDS.to_owned(),
        _ => format!("{HOLDS} FOR SHARE"),
    };
    let values: [Value; 2] = [name.into(), token.into()];
    Ok(query_one(tx, sql, values).await?.is_some())
}

/// Until when somebody holds it; the beginning of time where nobody ever did.
pub async fn held_until(tx: &Tx, name: &str) -> Result<Timestamp, DbErr> {
    const HELD: &str = "SELECT held_until FROM leases WHERE name = $1";
    let row = query_one(tx, HELD, [name.into()]).await?;
    let until = row.map(|row| row.try_get("", "held_until")).transpose()?;
    Ok(until.map_or(Timestamp::EPOCH, Timestamp::from_micros))
}

/// Says that `holder`, who competes with nobody, lives until `until`.
pub async fn announce(tx: &Tx, name: &str, holder: &str, until: Timestamp) -> Result<(), DbErr> {
    const ANNOUNCE: &str = "INSERT INTO leases (name, holder, token, held_until) \
         VALUES ($1, $2, 1, $3) ON CONFLICT (name) DO UPDATE SET held_until = excluded.held_until";
    let values: [Value; 3] = [name.into(), holder.into(), until.as_micros().into()];
    execute(tx, ANNOUNCE, values).await.map(drop)
}

/// Forgets the leases under `prefix` that were over at `now`; their names.
pub async fn forget_lapsed(tx: &Tx, prefix: &str, now: Timestamp) -> Result<Vec<String>, DbErr> {
    const LAPSED: &str =
        "DELETE FROM leases WHERE name LIKE $1 AND held_until <= $2 RETURNING name";
    let values: [Value; 2] = [format!("{prefix}%").into(), now.as_micros().into()];
    let rows = query(tx, LAPSED, values).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}
