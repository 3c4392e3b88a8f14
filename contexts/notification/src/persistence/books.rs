//! What an audit reads of messages and mails, a page at a time.

use cleave_store::{Tx, sql};
use cleave_vocabulary::{NotificationId, OrderId, Timestamp, UserId};
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

/// A message, with its mail where the mail outbox has that.
pub(crate) struct BookedMessage {
    pub(crate) user: UserId,
    pub(crate) id: NotificationId,
    pub(crate) order: Option<OrderId>,
    pub(crate) kind: String,
    /// Whether it counts as sent.
    pub(crate) sent: bool,
    pub(crate) mailed_at: Option<Timestamp>,
}

/// The next messages in the order of their keys.
pub(crate) async fn messages_after(
    tx: &Tx,
    after: Option<(UserId, NotificationId)>,
    limit: u64,
) -> Result<Vec<BookedMessage>, DbErr> {
    const PAGE: &str = "SELECT n.user_id, n.id, n.order_id, n.kind, n.status, m.accepted_at \
         FROM notifications n LEFT JOIN mail_outbox m ON m.key = n.id \
         WHERE (n.user_id, n.id) > ($1, $2) ORDER BY n.user_id, n.id LIMIT $3";
    let (user, id) = after.map_or((Uuid::nil(), Uuid::nil()), |(user, id)| {
        (user.uuid(), id.uuid())
    });
    let values = vec![user.into(), id.into(), sql::signed(limit).into()];
    let rows = sql::query(tx, PAGE, values).await?;
    rows.iter().map(message).collect()
}

fn message(row: &QueryResult) -> Result<BookedMessage, DbErr> {
    let order: Option<Uuid> = row.try_get("", "order_id")?;
    let status: String = row.try_get("", "status")?;
    let mailed_at: Option<i64> = row.try_get("", "accepted_at")?;
    Ok(BookedMessage {
        user: UserId::from_uuid(row.try_get("", "user_id")?),
        id: NotificationId::from_uuid(row.try_get("", "id")?),
        order: order.map(OrderId::from_uuid),
        kind: row.try_get("", "kind")?,
        sent: status == "sent",
        mailed_at: mailed_at.map(Timestamp::from_micros),
    })
}

/// How many messages of this kind there are about an order. Looks at all of
/// them: for what is suspected already.
pub(crate) async fn times_told(tx: &Tx, order: OrderId, kind: &str) -> Result<i64, DbErr> {
    const TOLD: &str = "SELECT COUNT(*) AS times FROM notifications \
         WHERE order_id = $1 AND kind = $2";
    times(tx, TOLD, vec![order.uuid().into(), kind.into()]).await
}

/// A mail in the mail outbox.
pub(crate) struct BookedMail {
    pub(crate) key: Uuid,
    pub(crate) recipient: String,
    pub(crate) subject: String,
    pub(crate) at: Timestamp,
}

/// The next mails in the order of their keys.
pub(crate) async fn mails_after(
    tx: &Tx,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<BookedMail>, DbErr> {
    const PAGE: &str = "SELECT key, recipient, subject, accepted_at FROM mail_outbox \
         WHERE key > $1 ORDER BY key LIMIT $2";
    let after = after.unwrap_or(Uuid::nil());
    let rows = sql::query(tx, PAGE, vec![after.into(), sql::signed(limit).into()]).await?;
    rows.iter().map(mail).collect()
}

fn mail(row: &QueryResult) -> Result<BookedMail, DbErr> {
    Ok(BookedMail {
        key: row.try_get("", "key")?,
        recipient: row.try_get("", "recipient")?,
        subject: row.try_get("", "subject")?,
        at: Timestamp::from_micros(row.try_get("", "accepted_at")?),
    })
}

/// How many mails of this subject an address got. Looks at all of them: for
/// what is suspected already.
pub(crate) async fn times_mailed(tx: &Tx, recipient: &str, subject: &str) -> Result<i64, DbErr> {
    const MAILED: &str = "SELECT COUNT(*) AS times FROM mail_outbox \
         WHERE recipient = $1 AND subject = $2";
    times(tx, MAILED, vec![recipient.into(), subject.into()]).await
}

async fn times(tx: &Tx, query: &str, values: Vec<Value>) -> Result<i64, DbErr> {
    let row = sql::query_one(tx, query, values).await?;
    row.map_or(Ok(0), |row| row.try_get("", "times"))
}
