//! A context's data moved to another database: which migrations make its tables,
//! and how far it is. The copying itself is the store's.

mod progress;

use cleave_migrations as migrations;
use cleave_store::{Location, MoveError, MoveOptions, MoveProgress, Moved};

pub use progress::Progress;

/// Moves the data of `context`, by the migrations that made its tables.
pub async fn relocate(
    context: &str,
    from: &Location,
    to: &Location,
    options: &MoveOptions,
    told: &mut dyn FnMut(MoveProgress),
) -> Result<Moved, MoveError> {
    use cleave_store::relocate;
    match context {
        "order" => relocate::<migrations::order::Migrator>(context, from, to, options, told).await,
        "payment" => {
            relocate::<migrations::payment::Migrator>(context, from, to, options, told).await
        }
        "inventory" => {
            relocate::<migrations::inventory::Migrator>(context, from, to, options, told).await
        }
        "user" => relocate::<migrations::user::Migrator>(context, from, to, options, told).await,
        "notification" => {
            relocate::<migrations::notification::Migrator>(context, from, to, options, told).await
        }
        "shipping" => {
            relocate::<migrations::shipping::Migrator>(context, from, to, options, told).await
        }
        other => Err(MoveError::Unfit(format!("there is no context `{other}`"))),
    }
}
