//! The table `signing_keys`.

use cleave_store::Tx;
use cleave_vocabulary::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel as _, QueryOrder};

use super::corrupt;
use crate::credentials::SigningKey;

mod row {
    use sea_orm::entity::prelude::*;

    /// A key as the table keeps it.
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "signing_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kid: String,
        pub(crate) private_key: String,
        pub(crate) created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use row::{Column, Entity, Model};

fn key(row: &Model) -> Result<SigningKey, DbErr> {
    SigningKey::restore(&row.private_key, Timestamp::from_micros(row.created_at))
        .map_err(|_| corrupt("signing key"))
}

/// Every key, newest first.
pub(crate) async fn all(tx: &Tx) -> Result<Vec<SigningKey>, DbErr> {
    let rows = Entity::find()
        .order_by_desc(Column::CreatedAt)
        .order_by_asc(Column::Kid)
        .all(tx)
        .await?;
    rows.iter().map(key).collect()
}

/// The key that signs: the newest.
pub(crate) async fn newest(tx: &Tx) -> Result<Option<SigningKey>, DbErr> {
    let row = Entity::find()
        .order_by_desc(Column::CreatedAt)
        .order_by_asc(Column::Kid)
        .one(tx)
        .await?;
    row.as_ref().map(key).transpose()
}

/// Adds a key.
pub(crate) async fn insert(tx: &Tx, key: &SigningKey) -> Result<(), DbErr> {
    let row = Model {
        kid: key.kid().to_owned(),
        private_key: key.private_text(),
        created_at: key.created_at.as_micros(),
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Removes every key but `kept`; returns how many.
pub(crate) async fn retire_all_but(tx: &Tx, kept: &SigningKey) -> Result<u64, DbErr> {
    let retired = Entity::delete_many()
        .filter(Column::Kid.ne(kept.kid()))
        .exec(tx)
        .await?;
    Ok(retired.rows_affected)
}
