//! A database to each context: its own file in the data folder, or its own
//! schema of a Postgres database.

use cleave_migrations as migrations;
use cleave_store::{OpenError, SqliteOptions, Store};
use sea_orm_migration::MigratorTrait;

use super::StartError;
use crate::settings::{BusKind, Place, Settings};
use crate::topology::Topology;

/// What a command wants of databases on a server, where other processes may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To work on them in the background: takes them, then brings them up to date.
    Serve,
    /// To bring them up to date.
    Migrate,
    /// To look, or to write beside whoever works on them: they must be up to date.
    Beside,
}

/// What databases are opened for.
pub(super) struct Opening<'a> {
    pub(super) settings: &'a Settings,
    pub(super) access: Access,
    /// What carries the events of whoever is to work on them, where it has a name.
    pub(super) bus: Option<String>,
}

/// The stores of the contexts of this process, open and up to date.
pub(super) struct Stores {
    pub(super) order: Option<Store>,
    pub(super) payment: Option<Store>,
    pub(super) inventory: Option<Store>,
    pub(super) user: Option<Store>,
    pub(super) notification: Option<Store>,
    pub(super) shipping: Option<Store>,
    /// The books of the simulated payment gateway: the outside world's, not ours.
    /// In a file of its own, or, where the payments began on a server, beside them,
    /// where every replica finds them.
    pub(super) gateway_books: Option<Store>,
}

impl Stores {
    pub(super) async fn open(
        opening: &Opening<'_>,
        topology: &Topology,
    ) -> Result<Self, StartError> {
        let settings = opening.settings;
        let folder = &settings.data_dir;
        std::fs::create_dir_all(folder).map_err(|error| StartError::DataDir {
            path: folder.clone(),
            reason: error.to_string(),
        })?;
        let ours = &settings.database.sqlite;
        let beside = has_books_beside(settings);
        // A crash of this program must not cost the outside world its memory; a
        // power cut may, because it is simulated.
        let outside = SqliteOptions {
            durable: false,
            ..ours.clone()
        };
        // Each file waits for its own disk writes; together they wait once.
        let (order, payment, inventory, user, notification, shipping, gateway_books) = futures::try_join!(
            here(
                topology,
                "order",
                open::<migrations::order::Migrator>(opening, "order", ours)
            ),
            here(
                topology,
                "payment",
                open::<migrations::payment::Migrator>(opening, "payment", ours)
            ),
            here(
                topology,
                "inventory",
                open::<migrations::inventory::Migrator>(opening, "inventory", ours)
            ),
            here(
                topology,
                "user",
                open::<migrations::user::Migrator>(opening, "user", ours)
            ),
            here(
                topology,
                "notification",
                open::<migrations::notification::Migrator>(opening, "notification", ours)
            ),
            here(
                topology,
                "shipping",
                open::<migrations::shipping::Migrator>(opening, "shipping", ours)
            ),
            here(topology, "payment", open_books(settings, &outside, beside)),
        )?;
        let gateway_books = gateway_books.flatten().or_else(|| payment.clone());
        Ok(Self {
            order,
            payment,
            inventory,
            user,
            notification,
            shipping,
            gateway_books,
        })
    }
}

/// Whether the simulated gateway keeps its books beside the payments: where those
/// began on a server, which they may have left since. A file of its own stays in use
/// wherever they move: the world outside does not move along.
fn has_books_beside(settings: &Settings) -> bool {
    let is_there = |name: &str| settings.data_dir.join(name).exists();
    let payments = settings.database.place("payment").is_some() || is_there("payment.db");
    payments && !is_there("simulated-gateway.db")
}

/// The simulated gateway's file; none where its books are beside the payments.
async fn open_books(
    settings: &Settings,
    options: &SqliteOptions,
    beside: bool,
) -> Result<Option<Store>, StartError> {
    if beside {
        return Ok(None);
    }
    let books = open_file::<migrations::payment::SimulatedGatewayMigrator>(
        settings,
        "simulated-gateway",
        options,
    );
    books.await.map(Some)
}

/// Brings a context's database up to date.
pub async fn migrate(context: &str, store: &Store) -> Result<(), OpenError> {
    match context {
        "order" => store.migrate::<migrations::order::Migrator>().await,
        "payment" => store.migrate::<migrations::payment::Migrator>().await,
        "inventory" => store.migrate::<migrations::inventory::Migrator>().await,
        "user" => store.migrate::<migrations::user::Migrator>().await,
        "notification" => store.migrate::<migrations::notification::Migrator>().await,
        "shipping" => store.migrate::<migrations::shipping::Migrator>().await,
        other => Err(OpenError::Migration {
            database: other.to_owned(),
            reason: "there is no such context".to_owned(),
        }),
    }
}

/// Opens what belongs to a context, where that is in this process.
async fn here<T>(
    topology: &Topology,
    context: &str,
    opening: impl Future<Output = Result<T, StartError>>,
) -> Result<Option<T>, StartError> {
    if topology.is_here(context) {
        opening.await.map(Some)
    } else {
        Ok(None)
    }
}

/// Whether a program with these contexts has kept its data there before. A schema
/// that is missing says so by itself.
pub(super) fn are_there(settings: &Settings, topology: &Topology) -> bool {
    let mut hosted = topology.hosted();
    hosted.any(|context| {
        let file = settings.data_dir.join(format!("{context}.db"));
        settings.database.place(context).is_some() || file.exists()
    })
}

async fn open<M: MigratorTrait>(
    opening: &Opening<'_>,
    name: &str,
    options: &SqliteOptions,
) -> Result<Store, StartError> {
    match opening.settings.database.place(name) {
        // Seven of them are open at once, and each is a large future.
        Some(place) => Box::pin(open_schema::<M>(opening, name, place)).await,
        None => open_file::<M>(opening.settings, name, options).await,
    }
}

async fn open_schema<M: MigratorTrait>(
    opening: &Opening<'_>,
    name: &str,
    place: Place,
) -> Result<Store, StartError> {
    let Place { setting, url } = place;
    let of = |error| StartError::Database {
        setting: setting.clone(),
        error,
    };
    let Opening {
        settings,
        access,
        bus,
    } = opening;
    let options = &settings.database.postgres;
    let store = Store::open_postgres(name, &url.0, options)
        .await
        .map_err(of)?;
    // Only over a broker do events reach the other processes of a context.
    if settings.bus.kind == BusKind::Nats {
        store.share();
    }
    if let (true, Some(bus)) = (store.is_shared(), bus) {
        store.share_over(bus);
    }
    if *access == Access::Serve {
        // Before anything is changed below a process that works there.
        store.occupy().await.map_err(of)?;
    }
    let fits = match access {
        Access::Serve | Access::Migrate => store.migrate::<M>().await,
        Access::Beside => store.verify::<M>().await,
    };
    fits.map_err(of)?;
    Ok(store)
}

async fn open_file<M: MigratorTrait>(
    settings: &Settings,
    name: &str,
    options: &SqliteOptions,
) -> Result<Store, StartError> {
    let (path, options, called) = (
        settings.data_dir.join(format!("{name}.db")),
        options.clone(),
        name.to_owned(),
    );
    let opened =
        tokio::task::spawn_blocking(move || Store::open_sqlite(&called, path, &options)).await;
    let store = opened.map_err(|error| StartError::of("store", error))??;
    match store.migrate::<M>().await {
        Ok(()) => Ok(store),
        Err(OpenError::NoRoom { reason, .. }) => Err(StartError::NoRoom {
            path: settings.data_dir.clone(),
            reason,
        }),
        Err(error) => Err(error.into()),
    }
}
