//! Counts over all messages and mails, for the audit.

use cleave_store::Tx;
use sea_orm::{DbErr, QueryResult};

use super::sql;

async fn count(tx: &Tx, query: &str) -> Result<u64, DbErr> {
    let row = sql::query_one(tx, query, vec![]).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "it"))?;
    Ok(count.unsigned_abs())
}

/// Messages about orders.
pub(crate) async fn about_orders(tx: &Tx) -> Result<u64, DbErr> {
    count(
        tx,
        "SELECT COUNT(*) AS it FROM notifications WHERE order_id IS NOT NULL",
    )
    .await
}

/// Kinds of which there are several messages about one order, up to `limit`: the
/// order, the kind, and how many times.
pub(crate) async fn told_twice(tx: &Tx, limit: u64) -> Result<Vec<QueryResult>, DbErr> {
    const TWICE: &str = "SELECT order_id, kind, COUNT(*) AS times FROM notifications \
         WHERE order_id IS NOT NULL GROUP BY order_id, kind HAVING COUNT(*) > 1 LIMIT $1";
    sql::query(tx, TWICE, vec![sql::signed(limit).into()]).await
}

/// Messages that were sent.
pub(crate) async fn sent(tx: &Tx) -> Result<u64, DbErr> {
    count(
        tx,
        "SELECT COUNT(*) AS it FROM notifications WHERE status = 'sent'",
    )
    .await
}

/// Messages that count as sent and that the mail outbox does not have, up to `limit`.
pub(crate) async fn sent_without_mail(tx: &Tx, limit: u64) -> Result<Vec<QueryResult>, DbErr> {
    const MISSING: &str = "SELECT n.id FROM notifications n \
         LEFT JOIN mail_outbox m ON m.key = n.id \
         WHERE n.status = 'sent' AND m.key IS NULL LIMIT $1";
    sql::query(tx, MISSING, vec![sql::signed(limit).into()]).await
}

/// Mails in the mail outbox.
pub(crate) async fn mails(tx: &Tx) -> Result<u64, DbErr> {
    count(tx, "SELECT COUNT(*) AS it FROM mail_outbox").await
}

/// Mails that are one of our messages.
pub(crate) async fn mails_of_messages(tx: &Tx) -> Result<u64, DbErr> {
    count(
        tx,
        "SELECT COUNT(*) AS it FROM notifications n JOIN mail_outbox m ON m.key = n.id",
    )
    .await
}

/// Subjects that one address got more than once, up to `limit`, each with how
/// many times: no two messages to one person have the same subject.
pub(crate) async fn mailed_twice(tx: &Tx, limit: u64) -> Result<Vec<QueryResult>, DbErr> {
    const TWICE: &str = "SELECT subject, COUNT(*) AS times FROM mail_outbox \
         GROUP BY recipient, subject HAVING COUNT(*) > 1 LIMIT $1";
    sql::query(tx, TWICE, vec![sql::signed(limit).into()]).await
}
