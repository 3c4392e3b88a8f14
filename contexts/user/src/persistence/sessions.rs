//! The tables `sessions` and `refresh_tokens`.

use cleave_store::Tx;
use cleave_store::sql::{query, signed};
use cleave_vocabulary::{Timestamp, UserId};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel as _, QueryOrder, QuerySelect};

use super::corrupt;
use crate::domain::{EndReason, PresentedToken, SessionId, Standing};

mod session {
    use sea_orm::entity::prelude::*;

    /// A session as the table keeps it.
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) user_id: Uuid,
        pub(crate) created_at: i64,
        pub(crate) expires_at: i64,
        pub(crate) ended_at: Option<i64>,
        pub(crate) end_reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod token {
    use sea_orm::entity::prelude::*;

    /// A refresh token as the table keeps it.
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "refresh_tokens")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) digest: String,
        pub(crate) session_id: Uuid,
        pub(crate) issued_at: i64,
        pub(crate) expires_at: i64,
        pub(crate) used_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A refresh token to be kept.
pub(crate) struct NewToken {
    pub(crate) digest: String,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Begins a session with its first refresh token.
pub(crate) async fn open(
    tx: &Tx,
    id: SessionId,
    user: UserId,
    first: NewToken,
) -> Result<(), DbErr> {
    let row = session::Model {
        id: id.uuid(),
        user_id: user.uuid(),
        created_at: first.issued_at.as_micros(),
        expires_at: first.expires_at.as_micros(),
        ended_at: None,
        end_reason: None,
    };
    session::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    add_token(tx, id, first).await
}

async fn add_token(tx: &Tx, session: SessionId, token: NewToken) -> Result<(), DbErr> {
    let row = token::Model {
        digest: token.digest,
        session_id: session.uuid(),
        issued_at: token.issued_at.as_micros(),
        expires_at: token.expires_at.as_micros(),
        used_at: None,
    };
    token::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// What is known of the token with this digest.
pub(crate) async fn presented(tx: &Tx, digest: &str) -> Result<Option<PresentedToken>, DbErr> {
    let Some(token) = token::Entity::find_by_id(digest).one(tx).await? else {
        return Ok(None);
    };
    let session = session::Entity::find_by_id(token.session_id)
        .one(tx)
        .await?
        .ok_or_else(|| corrupt("session"))?;
    let standing = match (session.ended_at, session.end_reason.as_deref()) {
        (None, _) => Standing::Live,
        (Some(_), reason) => {
            let reason = reason.and_then(EndReason::parse);
            Standing::Ended(reason.ok_or_else(|| corrupt("end reason"))?)
        }
    };
    Ok(Some(PresentedToken {
        session: SessionId::from_uuid(session.id),
        user: UserId::from_uuid(session.user_id),
        standing,
        used: token.used_at.is_some(),
        expires_at: Timestamp::from_micros(token.expires_at),
    }))
}

/// Uses up the token with `digest`; false where somebody else was faster.
pub(crate) async fn use_up(tx: &Tx, digest: &str, at: Timestamp) -> Result<bool, DbErr> {
    let used = token::Entity::update_many()
        .col_expr(token::Column::UsedAt, Expr::value(at.as_micros()))
        .filter(token::Column::Digest.eq(digest))
        .filter(token::Column::UsedAt.is_null())
        .exec(tx)
        .await?;
    Ok(used.rows_affected == 1)
}

/// Adds the token that follows one used up; the session lasts as long as it does.
pub(crate) async fn rotate(tx: &Tx, session: SessionId, next: NewToken) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(
            session::Column::ExpiresAt,
            Expr::value(next.expires_at.as_micros()),
        )
        .filter(session::Column::Id.eq(session.uuid()))
        .exec(tx)
        .await?;
    add_token(tx, session, next).await
}

/// Ends a session; the first end stays. False where it had ended (or never was).
pub(crate) async fn end(
    tx: &Tx,
    session: SessionId,
    reason: EndReason,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(at.as_micros()))
        .col_expr(session::Column::EndReason, Expr::value(reason.as_str()))
        .filter(session::Column::Id.eq(session.uuid()))
        .filter(session::Column::EndedAt.is_null())
        .exec(tx)
        .await?;
    Ok(ended.rows_affected == 1)
}

/// Forgets up to `limit` sessions whose last token expired before `moment`, their
/// tokens with them; returns how many.
pub(crate) async fn forget(tx: &Tx, moment: Timestamp, limit: u64) -> Result<u64, DbErr> {
    let past: Vec<Uuid> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::ExpiresAt.lt(moment.as_micros()))
        .order_by_asc(session::Column::ExpiresAt)
        .limit(limit)
        .into_tuple()
        .all(tx)
        .await?;
    if past.is_empty() {
        return Ok(0);
    }
    token::Entity::delete_many()
        .filter(token::Column::SessionId.is_in(past.clone()))
        .exec(tx)
        .await?;
    let forgotten = session::Entity::delete_many()
        .filter(session::Column::Id.is_in(past))
        .exec(tx)
        .await?;
    Ok(forgotten.rows_affected)
}

/// A session on a walk over all of them.
pub(crate) struct Walked {
    pub(crate) session: SessionId,
    pub(crate) live: bool,
    /// How many of its tokens are not used yet.
    pub(crate) unused: i64,
}

/// The next sessions in the order of their ids.
pub(crate) async fn unused_tokens_after(
    tx: &Tx,
    after: Option<SessionId>,
    limit: u64,
) -> Result<Vec<Walked>, DbErr> {
    const PAGE: &str = "SELECT s.id, s.ended_at, (SELECT COUNT(*) FROM refresh_tokens t \
         WHERE t.session_id = s.id AND t.used_at IS NULL) AS unused \
         FROM sessions s WHERE s.id > $1 ORDER BY s.id LIMIT $2";
    let after = after.map_or(Uuid::nil(), SessionId::uuid);
    let rows = query(tx, PAGE, [after.into(), signed(limit).into()]).await?;
    let walked = rows.iter().map(|row| {
        let id: Uuid = row.try_get("", "id")?;
        let ended: Option<i64> = row.try_get("", "ended_at")?;
        Ok(Walked {
            session: SessionId::from_uuid(id),
            live: ended.is_none(),
            unused: row.try_get("", "unused")?,
        })
    });
    walked.collect()
}
