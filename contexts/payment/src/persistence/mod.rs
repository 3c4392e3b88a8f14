//! Rows of `payments` and `refunds`, and nothing of them beyond this folder. A
//! guarded write names in SQL the states that it may leave, so that of two who
//! race one wins and the other learns of it.

pub(crate) mod payments;
pub(crate) mod refunds;

use cleave_store::Tx;
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

async fn run(tx: &Tx, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// A row that this program cannot have written.
fn corrupt(what: impl std::fmt::Display) -> DbErr {
    DbErr::Type(what.to_string())
}
