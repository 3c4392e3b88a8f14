//! What a failure means for the transaction that met it.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why a transaction ended before its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It collided with others; nothing of it was kept, and it may work again.
    Collision,
    /// The connection is gone, or no good any more.
    Lost,
    /// The server takes no writes: it is a standby by now, or was made read-only.
    ReadOnly,
    /// The server lacks memory, or cannot use its disk, for the moment.
    Strained,
    /// A statement, or its wait for a lock, took too long.
    TooSlow,
    /// The server's disk is full.
    Full,
    /// A statement failed by what it asked for.
    Statement,
    /// A row was not changed of which a unit had been told that it was.
    Misjudged,
    /// A query that ran without a transaction had more than one statement.
    Several,
}

impl Fault {
    /// By the code that the server gave (appendix A of the Postgres manual).
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let Some(error) = server_error(error) else {
            return match error {
                sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
                    Self::Statement
                }
                _ => Self::Lost,
            };
        };
        match error.code() {
            "40001" | "40P01" => Self::Collision,
            "57014" | "55P03" => Self::TooSlow,
            "53100" => Self::Full,
            "25006" => Self::ReadOnly,
            "53200" | "53400" | "58030" if !is_fatal(error) => Self::Strained,
            // A prepared statement that no longer fits the schema.
            "26000" => Self::Lost,
            "0A000" if error.message().contains("cached plan") => Self::Lost,
            _ if is_fatal(error) => Self::Lost,
            _ => Self::Statement,
        }
    }
}

/// What the server misses that only its owner can give: a right, a schema, a table.
pub(super) fn misfit(error: &sqlx::Error) -> Option<String> {
    const MISFITS: [&str; 3] = ["42501", "3F000", "42P01"];
    let said = server_error(error).filter(|said| MISFITS.contains(&said.code()))?;
    Some(format!(
        "the schema is not as this program needs it ({}); run `cleave migrate --grant` as the owner of the database, or restore what is missing",
        said.message()
    ))
}

/// Whether the server ends the connection with this error.
fn is_fatal(error: &PgDatabaseError) -> bool {
    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

/// Whether a commit that failed so was certainly not made.
pub(super) fn is_rollback(error: &sqlx::Error) -> bool {
    server_error(error).is_some_and(|error| !is_fatal(error))
}

/// What the server said, where it was the server.
pub(super) fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref(),
        _ => None,
    }
}
