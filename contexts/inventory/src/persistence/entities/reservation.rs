//! A row of `reservations`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reservations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: Uuid,
    pub(crate) id: Option<Uuid>,
    pub(crate) state: String,
    pub(crate) lines: Option<String>,
    pub(crate) expires_at: i64,
    pub(crate) reserve_key: Option<String>,
    pub(crate) refusal: Option<String>,
    pub(crate) take_key: Option<String>,
    pub(crate) correlation: String,
    pub(crate) created_at: i64,
    pub(crate) changed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
