//! The composition root: the only place that names every context. It opens the
//! stores, builds the contexts, hands each the ports that it calls, and starts
//! what they do in the background.

mod audit;
mod bus;
mod contexts;
mod guards;
mod meters;
mod owners;
mod running;
mod secret;
mod stores;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cleave_hosting::{Auditor, Context};
use cleave_inventory::Catalogue;
use cleave_messaging::EventBus;
use cleave_order::Rebuild;
use cleave_store::{OpenError, Store};
use cleave_user::Accounts;
use cleave_user_contract::port::UserPort;
use cleave_vocabulary::{Clock, IdSource};
use cleave_web::Idempotency;

use crate::settings::{BusSettings, Settings};
use crate::topology::{Links, Topology};

pub use guards::Guards;
pub use running::Running;
pub use stores::{Access, migrate};

/// What the program tells the time by, and makes ids from.
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives ids.
    pub ids: Arc<dyn IdSource>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(cleave_vocabulary::SystemClock),
            ids: Arc::new(cleave_vocabulary::UuidV7Ids),
        }
    }
}

/// Why the program could not start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder can't be used.
    #[error("the data folder {} can't be used: {reason}; set data_dir (--data-dir) to a folder that this user may write to", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Nothing was ever kept there.
    #[error("the data folder {} holds no data; set data_dir (--data-dir) to the folder of a server that has run", .0.display())]
    NoData(PathBuf),
    /// The disk is full, or the file may not grow.
    #[error("no room is left in the data folder {} ({reason}); make room there, or move it to a larger disk and name its new place by data_dir (--data-dir)", path.display())]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The key beside the databases is no key.
    #[error("{} does not hold a key of 32 bytes; restore it from a backup, or delete it: what is sealed with it can then not be read again", .0.display())]
    Key(PathBuf),
    /// A store can't be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A Postgres database can't be used.
    #[error("{setting}: {error}")]
    Database {
        /// The setting that names it.
        setting: String,
        /// Why.
        error: OpenError,
    },
    /// What carries the events of a context knows it by another database.
    #[error(
        "{context}: the events of {context} at this broker are those of another database, and each of the two would settle what only the other knows. If this is another deployment, give it a bus.nats.prefix of its own, or a broker of its own by bus.nats.url; if the wrong database is named, set database.{context}.url, or data_dir on SQLite, to the one that is in use; if that one is gone for good, let this one take its place: {release}"
    )]
    Owned {
        /// Which.
        context: &'static str,
        /// The command that makes room for another.
        release: String,
    },
    /// A context can't be built, or does not start.
    #[error("{context}: {reason}")]
    Context {
        /// Which.
        context: &'static str,
        /// Why.
        reason: String,
    },
}

impl StartError {
    /// A failure of one context's start.
    pub(crate) fn of(context: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Context {
            context,
            reason: reason.to_string(),
        }
    }
}

/// Where the contexts are; checked before, when the settings were read.
fn topology(settings: &Settings) -> Result<Topology, StartError> {
    Topology::of(settings).map_err(|wrong| StartError::of("topology", wrong.join("; ")))
}

/// A command needs a context that runs in another process.
pub fn elsewhere(context: &'static str) -> StartError {
    StartError::of(
        context,
        format!(
            "this context runs in another process; run the command with the settings of that one, where topology.{context} is \"local\""
        ),
    )
}

/// The contexts of this process, built and wired, before anything moves.
pub struct Assembly {
    /// In the order of the fulfilment's dependencies.
    pub contexts: Vec<Context>,
    /// What carries events.
    pub bus: Arc<dyn EventBus>,
    /// The accounts' port, for the keys of access tokens.
    pub users: Arc<dyn UserPort>,
    /// Makes accounts, where the user context is here.
    pub accounts: Option<Accounts>,
    /// Brings products in, where the inventory context is here.
    pub catalogue: Option<Catalogue>,
    /// Rebuilds the order context's read model, where that is here.
    pub rebuild: Option<Rebuild>,
    /// Outcomes of operators' requests, kept beside the sagas that they are about,
    /// or beside what else is here.
    pub operators: Option<Idempotency>,
    /// Stores that belong to simulated parts of the outside world.
    pub outside: Vec<Store>,
    /// How long inboxes remember what was handled.
    pub inbox_retention: Duration,
    /// Clock and ids.
    pub world: World,
    /// Which contexts are here.
    pub topology: Topology,
    /// The way to the other processes, where the deployment has a secret.
    pub links: Option<Links>,
    /// The guards before what it asks of them for no context of its own.
    pub guards: Guards,
    /// How long a context of theirs may count its invariants.
    audit_time: Duration,
}

impl Assembly {
    /// Opens the stores under `settings.data_dir` and builds the contexts that
    /// the topology places here.
    pub async fn build(
        settings: &Settings,
        world: World,
        access: Access,
    ) -> Result<Self, StartError> {
        let topology = topology(settings)?;
        let links = settings.internal.key.as_deref().map(|key| {
            let links = Links::new(topology.clone(), key, world.clock.clone());
            links.map_err(|reason| StartError::of("internal", reason))
        });
        let links = links.transpose()?;
        let bus = bus::open(&settings.bus, &world).await?;
        let opening = stores::Opening {
            settings,
            access,
            // Whoever works on a database beside others does it over their bus.
            bus: match access {
                Access::Serve => bus
                    .identity()
                    .await
                    .map_err(|it| StartError::of("bus", it))?,
                Access::Migrate | Access::Beside => None,
            },
        };
        let stores = stores::Stores::open(&opening, &topology).await?;
        let secret = topology.is_here("user").then(|| secret::of(settings));
        let ground = contexts::Ground {
            settings,
            world: &world,
            topology,
            links,
            bus,
        };
        contexts::build(ground, stores, secret.transpose()?)
    }

    /// The same over what is there already, for commands that look at it: a name
    /// that is mistyped is no empty shop.
    pub async fn reopen(settings: &Settings, world: World) -> Result<Self, StartError> {
        let path = settings.data_dir.clone();
        if !stores::are_there(settings, &topology(settings)?) {
            return Err(StartError::NoData(path));
        }
        Self::build(settings, world, Access::Beside).await
    }

    /// Who counts the invariants; to be asked before [`Assembly::start`].
    pub fn auditors(&self) -> Result<Vec<Arc<dyn Auditor>>, StartError> {
        audit::auditors(self)
    }

    /// Takes the events of its contexts, at what carries them, for their databases;
    /// refuses what are those of another one.
    pub async fn claim(&self) -> Result<(), StartError> {
        for context in &self.contexts {
            owners::claim(&*self.bus, context, &*self.world.ids).await?;
        }
        Ok(())
    }

    /// Subscribes every handler, and lets relays and background tasks go.
    pub async fn start(self, settings: &BusSettings) -> Result<Running, StartError> {
        let Self {
            contexts,
            bus,
            outside,
            world,
            ..
        } = self;
        Running::start(contexts, bus, outside, settings, &world).await
    }

    /// Closes what `build` opened, for commands that only look.
    pub async fn close(self) {
        self.bus.close().await;
        for context in self.contexts {
            context.store.close().await;
        }
        for store in self.outside {
            store.close().await;
        }
    }
}
