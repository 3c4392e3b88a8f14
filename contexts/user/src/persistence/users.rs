//! The table `users`.

use cleave_store::Tx;
use cleave_vocabulary::{Timestamp, UserId};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ExprTrait, QueryOrder, QuerySelect, Set};

use super::corrupt;
use crate::domain::{Address, EmailAddress, Role, User};

mod row {
    use sea_orm::entity::prelude::*;

    /// A user as the table keeps it.
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) email: String,
        pub(crate) email_key: String,
        pub(crate) password_hash: String,
        pub(crate) name: String,
        pub(crate) role: String,
        pub(crate) phone: Option<String>,
        pub(crate) default_address: Option<String>,
        pub(crate) version: i64,
        pub(crate) created_at: i64,
        pub(crate) updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{ActiveModel, Column, Entity, Model};

fn user(row: Model) -> Result<User, DbErr> {
    let address = row.default_address.as_deref().map(serde_json::from_str);
    Ok(User {
        id: UserId::from_uuid(row.id),
        email: row.email,
        name: row.name,
        role: Role::parse(&row.role).ok_or_else(|| corrupt("role"))?,
        phone: row.phone,
        default_address: address.transpose().map_err(|_| corrupt("address"))?,
        version: row.version,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

fn address_text(address: Option<&Address>) -> Result<Option<String>, DbErr> {
    let text = address.map(serde_json::to_string).transpose();
    text.map_err(|error| DbErr::Type(error.to_string()))
}

/// Adds a user; false where the address has an account already.
pub(crate) async fn insert(
    tx: &Tx,
    user: &User,
    email: &EmailAddress,
    password_hash: &str,
) -> Result<bool, DbErr> {
    let row = ActiveModel {
        id: Set(user.id.uuid()),
        email: Set(user.email.clone()),
        email_key: Set(email.key()),
        password_hash: Set(password_hash.to_owned()),
        name: Set(user.name.clone()),
        role: Set(user.role.as_str().to_owned()),
        phone: Set(user.phone.clone()),
        default_address: Set(address_text(user.default_address.as_ref())?),
        version: Set(user.version),
        created_at: Set(user.created_at.as_micros()),
        updated_at: Set(user.updated_at.as_micros()),
    };
    let nothing = OnConflict::column(Column::EmailKey).do_nothing().to_owned();
    let added = Entity::insert(row)
        .on_conflict(nothing)
        .exec_without_returning(tx)
        .await?;
    Ok(added == 1)
}

/// The user of that id.
pub(crate) async fn find(tx: &Tx, id: UserId) -> Result<Option<User>, DbErr> {
    let row = Entity::find_by_id(id.uuid()).one(tx).await?;
    row.map(user).transpose()
}

/// The user of that address, and the hash of their password.
pub(crate) async fn find_by_email(
    tx: &Tx,
    email: &EmailAddress,
) -> Result<Option<(User, String)>, DbErr> {
    let row = Entity::find()
        .filter(Column::EmailKey.eq(email.key()))
        .one(tx)
        .await?;
    row.map(|row| {
        let hash = row.password_hash.clone();
        Ok((user(row)?, hash))
    })
    .transpose()
}

/// Up to `limit` users, newest first, behind `before` where given.
pub(crate) async fn list(tx: &Tx, before: Option<UserId>, limit: u64) -> Result<Vec<User>, DbErr> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.uuid()));
    }
    query.all(tx).await?.into_iter().map(user).collect()
}

/// Writes a changed profile over the version it was changed from; false where
/// that is not the stored version any more.
pub(crate) async fn update_profile(tx: &Tx, next: &User, from: i64) -> Result<bool, DbErr> {
    let change = ActiveModel {
        name: Set(next.name.clone()),
        phone: Set(next.phone.clone()),
        default_address: Set(address_text(next.default_address.as_ref())?),
        version: Set(next.version),
        updated_at: Set(next.updated_at.as_micros()),
        ..Default::default()
    };
    let changed = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(next.id.uuid()))
        .filter(Column::Version.eq(from))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Replaces the hash of a password by one of the same password.
pub(crate) async fn rehash(tx: &Tx, id: UserId, from: &str, to: &str) -> Result<(), DbErr> {
    let change = ActiveModel {
        password_hash: Set(to.to_owned()),
        ..Default::default()
    };
    Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id.uuid()))
        .filter(Column::PasswordHash.eq(from))
        .exec(tx)
        .await?;
    Ok(())
}

/// The next accounts in the order of their addresses, for a walk over all of
/// them: the address as it is compared, and whose it is.
pub(crate) async fn by_email_after(
    tx: &Tx,
    after: Option<&(String, UserId)>,
    limit: u64,
) -> Result<Vec<(String, UserId)>, DbErr> {
    let mut query = Entity::find()
        .select_only()
        .column(Column::EmailKey)
        .column(Column::Id);
    if let Some((email, user)) = after {
        let place = Expr::tuple([Expr::col(Column::EmailKey), Expr::col(Column::Id)]);
        let behind = Expr::tuple([email.as_str().into(), user.uuid().into()]);
        query = query.filter(place.gt(behind));
    }
    let query = query.order_by_asc(Column::EmailKey);
    let query = query.order_by_asc(Column::Id).limit(limit);
    let rows: Vec<(String, Uuid)> = query.into_tuple().all(tx).await?;
    let found = rows.into_iter();
    Ok(found
        .map(|(email, id)| (email, UserId::from_uuid(id)))
        .collect())
}
