//! The table `carrier_attempts`: how often the simulated carrier was asked for
//! a booking that it accepts only after some faults.

use cleave_store::Tx;
use cleave_store::sql::query;
use sea_orm::DbErr;

use super::corrupt;

const COUNT: &str = "INSERT INTO carrier_attempts (key, attempts) VALUES ($1, 1) \
    ON CONFLICT (key) DO UPDATE SET attempts = carrier_attempts.attempts + 1 RETURNING attempts";

/// Counts one more attempt; returns how many there are now.
pub(crate) async fn count(tx: &Tx, key: &str) -> Result<i64, DbErr> {
    let counted = query(tx, COUNT, [key.into()]).await?;
    let row = counted
        .first()
        .ok_or_else(|| corrupt("nothing was counted"))?;
    row.try_get("", "attempts")
}
