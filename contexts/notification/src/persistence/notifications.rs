//! The table `notifications`.

use cleave_store::{Tx, portions, sql};
use cleave_vocabulary::{CorrelationId, NotificationId, OrderId, Timestamp, TraceParent, UserId};
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

use super::corrupt;
use crate::domain::{EMAIL, Message, Notification, Queued, Settlement, Status};

/// Queues messages, due at once; passes over those that are there already.
pub(crate) async fn queue(tx: &Tx, queued: &[Queued]) -> Result<(), DbErr> {
    const INSERT: &str = "INSERT INTO notifications (user_id, id, kind, channel, order_id, \
         subject, body, status, attempts, due_at, correlation, trace, created_at) VALUES ";
    const COLUMNS: usize = 13;
    const UNLESS_THERE: &str = " ON CONFLICT (user_id, id) DO NOTHING";
    for rows in portions(queued) {
        let insert = sql::values_list(INSERT, 1, COLUMNS, rows.len(), UNLESS_THERE);
        sql::execute(tx, insert, rows.iter().flat_map(row)).await?;
    }
    Ok(())
}

fn row(queued: &Queued) -> [Value; 13] {
    let now = queued.created_at.as_micros();
    [
        queued.user.uuid().into(),
        queued.id.uuid().into(),
        queued.kind.as_str().into(),
        EMAIL.into(),
        queued.order.map(OrderId::uuid).into(),
        queued.message.subject.as_str().into(),
        queued.message.body.as_str().into(),
        Status::Queued.as_str().into(),
        0_i64.into(),
        now.into(),
        queued.correlation.as_str().into(),
        queued.trace.as_ref().map(TraceParent::as_str).into(),
        now.into(),
    ]
}

/// Makes a user's queued messages due, in the order in which they were made.
pub(crate) async fn make_due(tx: &Tx, user: UserId) -> Result<(), DbErr> {
    const DUE: &str = "UPDATE notifications SET due_at = created_at \
         WHERE user_id = $1 AND status = 'queued'";
    sql::execute(tx, DUE, vec![user.uuid().into()]).await?;
    Ok(())
}

/// A message that is due since some moment, with its address where that is known.
pub(crate) struct Due {
    pub(crate) queued: Queued,
    pub(crate) email: Option<String>,
    pub(crate) since: Timestamp,
}

/// Up to `limit` messages that are due at `now`, the longest due first.
pub(crate) async fn due(tx: &Tx, now: Timestamp, limit: u32) -> Result<Vec<Due>, DbErr> {
    const DUE: &str = "SELECT n.user_id, n.id, n.kind, n.order_id, n.subject, n.body, \
         n.attempts, n.due_at, n.correlation, n.trace, n.created_at, r.email \
         FROM notifications n LEFT JOIN recipients r ON r.user_id = n.user_id \
         WHERE n.status = 'queued' AND n.due_at <= $1 ORDER BY n.due_at LIMIT $2";
    let values = vec![now.as_micros().into(), i64::from(limit).into()];
    let rows = sql::query(tx, DUE, values).await?;
    rows.iter().map(due_row).collect()
}

fn due_row(row: &QueryResult) -> Result<Due, DbErr> {
    let attempts: i64 = row.try_get("", "attempts")?;
    let correlation: String = row.try_get("", "correlation")?;
    let trace: Option<String> = row.try_get("", "trace")?;
    let queued = Queued {
        id: NotificationId::from_uuid(row.try_get("", "id")?),
        user: UserId::from_uuid(row.try_get("", "user_id")?),
        kind: row.try_get("", "kind")?,
        order: order(row)?,
        message: Message {
            subject: row.try_get("", "subject")?,
            body: row.try_get("", "body")?,
        },
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        correlation: CorrelationId::try_from(correlation).map_err(|_| corrupt("correlation id"))?,
        trace: trace
            .map(TraceParent::try_from)
            .transpose()
            .map_err(|_| corrupt("trace parent"))?,
        created_at: Timestamp::from_micros(row.try_get("", "created_at")?),
    };
    Ok(Due {
        queued,
        email: row.try_get("", "email")?,
        since: Timestamp::from_micros(row.try_get("", "due_at")?),
    })
}

fn order(row: &QueryResult) -> Result<Option<OrderId>, DbErr> {
    let order: Option<Uuid> = row.try_get("", "order_id")?;
    Ok(order.map(OrderId::from_uuid))
}

/// When the next message is due, if any is queued.
pub(crate) async fn next_due(tx: &Tx) -> Result<Option<Timestamp>, DbErr> {
    const NEXT: &str = "SELECT due_at FROM notifications WHERE status = 'queued' \
         ORDER BY due_at LIMIT 1";
    let row = sql::query_one(tx, NEXT, vec![]).await?;
    let due = row.map(|row| row.try_get("", "due_at")).transpose()?;
    Ok(due.map(Timestamp::from_micros))
}

/// Marks messages as sent; returns those that were queued still.
/// `due` is the latest due time among them: the few rows that are due by then are
/// what the database has to look at, however many are queued.
pub(crate) async fn mark_sent(
    tx: &Tx,
    messages: &[(UserId, NotificationId)],
    due: Timestamp,
    now: Timestamp,
) -> Result<Vec<NotificationId>, DbErr> {
    const HEAD: &str = "UPDATE notifications SET status = 'sent', attempts = attempts + 1, \
         error = NULL, settled_at = $1 WHERE status = 'queued' AND due_at <= $2 \
         AND (user_id, id) IN (VALUES ";
    let mut marked = Vec::with_capacity(messages.len());
    for portion in portions(messages) {
        let mut values: Vec<Value> = Vec::with_capacity(2 + portion.len() * 2);
        values.extend([now.as_micros().into(), due.as_micros().into()]);
        for (user, id) in portion {
            values.extend([user.uuid().into(), id.uuid().into()]);
        }
        let mark = sql::values_list(HEAD, 3, 2, portion.len(), ") RETURNING id");
        for row in sql::query(tx, mark, values).await? {
            marked.push(NotificationId::from_uuid(row.try_get("", "id")?));
        }
    }
    Ok(marked)
}

/// Records what became of a message that was not sent; false where it was
/// settled by someone else.
pub(crate) async fn settle_unsent(
    tx: &Tx,
    (user, id): (UserId, NotificationId),
    settlement: &Settlement,
    now: Timestamp,
) -> Result<bool, DbErr> {
    const FAILED: &str = "UPDATE notifications SET status = 'failed', attempts = attempts + 1, \
         error = $1, settled_at = $2 WHERE user_id = $3 AND id = $4 AND status = 'queued'";
    const LATER: &str = "UPDATE notifications SET attempts = attempts + 1, \
         error = $1, due_at = $2 WHERE user_id = $3 AND id = $4 AND status = 'queued'";
    let (sql, error, at) = match settlement {
        Settlement::Sent => return Ok(false),
        Settlement::Failed { error } => (FAILED, error, now),
        Settlement::Later { at, error } => (LATER, error, *at),
    };
    let values = vec![
        error.as_str().into(),
        at.as_micros().into(),
        user.uuid().into(),
        id.uuid().into(),
    ];
    Ok(sql::execute(tx, sql, values).await? == 1)
}

/// Puts off a message whose recipient is not known yet: that was no attempt.
pub(crate) async fn put_off(
    tx: &Tx,
    (user, id): (UserId, NotificationId),
    until: Timestamp,
) -> Result<(), DbErr> {
    const PUT_OFF: &str = "UPDATE notifications SET due_at = $1 \
         WHERE user_id = $2 AND id = $3 AND status = 'queued' \
         AND NOT EXISTS (SELECT 1 FROM recipients r WHERE r.user_id = notifications.user_id)";
    let values = vec![
        until.as_micros().into(),
        user.uuid().into(),
        id.uuid().into(),
    ];
    sql::execute(tx, PUT_OFF, values).await?;
    Ok(())
}

const VIEW: &str = "SELECT id, kind, channel, subject, body, order_id, status, read_at, \
     created_at FROM notifications WHERE user_id = $1 AND id";

/// A user's messages, newest first, behind `before` where given.
pub(crate) async fn list(
    tx: &Tx,
    user: UserId,
    before: Option<NotificationId>,
    limit: u64,
) -> Result<Vec<Notification>, DbErr> {
    let before = before.map_or(Uuid::max(), NotificationId::uuid);
    let values = vec![user.uuid().into(), before.into(), sql::signed(limit).into()];
    let rows = sql::query(tx, format!("{VIEW} < $2 ORDER BY id DESC LIMIT $3"), values).await?;
    rows.iter().map(view).collect()
}

/// Marks a user's message as read, once; the message, where it is theirs.
pub(crate) async fn mark_read(
    tx: &Tx,
    user: UserId,
    id: NotificationId,
    now: Timestamp,
) -> Result<Option<Notification>, DbErr> {
    const READ: &str = "UPDATE notifications SET read_at = $1 \
         WHERE user_id = $2 AND id = $3 AND read_at IS NULL";
    let values = vec![now.as_micros().into(), user.uuid().into(), id.uuid().into()];
    sql::execute(tx, READ, values).await?;
    let values = vec![user.uuid().into(), id.uuid().into()];
    let row = sql::query_one(tx, format!("{VIEW} = $2"), values).await?;
    row.as_ref().map(view).transpose()
}

fn view(row: &QueryResult) -> Result<Notification, DbErr> {
    let status: String = row.try_get("", "status")?;
    let read_at: Option<i64> = row.try_get("", "read_at")?;
    Ok(Notification {
        id: NotificationId::from_uuid(row.try_get("", "id")?),
        kind: row.try_get("", "kind")?,
        channel: row.try_get("", "channel")?,
        subject: row.try_get("", "subject")?,
        body: row.try_get("", "body")?,
        order: order(row)?,
        status: Status::parse(&status).ok_or_else(|| corrupt("status"))?,
        read_at: read_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.try_get("", "created_at")?),
    })
}
