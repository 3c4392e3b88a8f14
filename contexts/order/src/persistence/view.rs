//! The read model that lists are made from. A row only ever moves forward, by
//! the same rule on which status may follow which, so events may be applied
//! again, or out of turn, or by a rebuild beside the live handler.

use cleave_store::sql::{execute, query, values_list};
use cleave_store::{Tx, portions};
use cleave_vocabulary::{OrderId, Timestamp, UserId};
use sea_orm::{DbErr, FromQueryResult, Value};

use super::row::OrderRow;
use crate::domain::{Order, Status};

/// What one event says about one order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) order: OrderId,
    pub(crate) user: UserId,
    pub(crate) at: Timestamp,
}

/// Records that these orders, each named once, have reached `status`.
pub(crate) async fn record_in_view(tx: &Tx, status: Status, seen: &[Seen]) -> Result<(), DbErr> {
    for rows in portions(seen) {
        let values = rows.iter().flat_map(|row| -> [Value; 4] {
            [
                row.order.uuid().into(),
                row.user.uuid().into(),
                status.as_str().into(),
                row.at.as_micros().into(),
            ]
        });
        execute(tx, upsert(status, rows.len()), values).await?;
    }
    Ok(())
}

fn upsert(status: Status, rows: usize) -> String {
    const INSERT: &str = "INSERT INTO order_view (order_id, user_id, status, updated_at) VALUES ";
    let earlier: Vec<_> = Status::ALL
        .into_iter()
        .filter(|earlier| earlier.precedes(status))
        .map(|earlier| format!("'{earlier}'"))
        .collect();
    let then = if earlier.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!(
            "UPDATE SET status = excluded.status, updated_at = excluded.updated_at \
             WHERE order_view.status IN ({})",
            earlier.join(", ")
        )
    };
    let conflict = format!(" ON CONFLICT (order_id) DO {then}");
    values_list(INSERT, 1, 4, rows, &conflict)
}

/// Forgets everything, for a rebuild.
pub(crate) async fn clear_view(tx: &Tx) -> Result<(), DbErr> {
    execute(tx, "DELETE FROM order_view", vec![]).await?;
    Ok(())
}

/// Which orders to list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// Of this user only.
    pub(crate) user: Option<UserId>,
    /// Of this status only.
    pub(crate) status: Option<Status>,
    /// Older than this one.
    pub(crate) before: Option<OrderId>,
    /// At most so many.
    pub(crate) limit: u64,
}

/// Orders, newest first: the view says which, their rows say how they are.
pub(crate) async fn list(tx: &Tx, wanted: Wanted) -> Result<Vec<Order>, DbErr> {
    let mut values: Vec<Value> = Vec::new();
    let mut conditions: Vec<String> = Vec::new();
    if let Some(user) = wanted.user {
        values.push(user.uuid().into());
        conditions.push(format!("v.user_id = ${}", values.len()));
    }
    if let Some(status) = wanted.status {
        values.push(status.as_str().into());
        // Of an owner's orders the few of a status are picked out; the index
        // over all orders of that status, which the concatenation keeps out,
        // would lead through everybody's.
        let column = if wanted.user.is_some() {
            "v.status || ''"
        } else {
            "v.status"
        };
        conditions.push(format!("{column} = ${}", values.len()));
    }
    if let Some(before) = wanted.before {
        values.push(before.uuid().into());
        conditions.push(format!("v.order_id < ${}", values.len()));
    }
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    };
    values.push(i64::try_from(wanted.limit).unwrap_or(i64::MAX).into());
    let select = format!(
        "SELECT o.* FROM order_view v JOIN orders o ON o.id = v.order_id {filter} \
         ORDER BY v.order_id DESC LIMIT ${}",
        values.len()
    );
    let rows = query(tx, select, values).await?;
    rows.iter()
        .map(|row| Order::try_from(OrderRow::from_query_result(row, "")?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_view_only_moves_forward() {
        assert!(upsert(Status::Pending, 1).ends_with("ON CONFLICT (order_id) DO NOTHING"));
        assert!(
            upsert(Status::Shipped, 2).ends_with("IN ('pending', 'confirmed', 'paid')"),
            "{}",
            upsert(Status::Shipped, 2)
        );
        assert!(upsert(Status::Paid, 2).contains("VALUES ($1,$2,$3,$4),($5,$6,$7,$8) ON"));
    }
}
