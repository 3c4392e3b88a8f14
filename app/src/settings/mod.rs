//! What the program can be told. Each context and each mechanism declares its
//! own settings; here they are put together, loaded and checked as a whole.

mod layers;
#[cfg(test)]
mod tests;
mod topology;

use std::path::PathBuf;

use cleave_inventory::InventorySettings;
use cleave_messaging::{ConsumerOptions, InProcessOptions, RelayOptions};
use cleave_nats::NatsOptions;
use cleave_notification::NotificationSettings;
use cleave_order::OrderSettings;
use cleave_payment::PaymentSettings;
use cleave_shipping::ShippingSettings;
use cleave_store::{PostgresOptions, SqliteOptions};
use cleave_user::UserSettings;
use serde::{Deserialize, Serialize};

use crate::gateway::GatewaySettings;
use crate::host::HttpSettings;
use crate::topology::Topology;

pub use layers::{Layers, SettingsError};
pub use topology::{InternalSettings, LOCAL, TopologySettings};

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder with everything that is kept.
    pub data_dir: PathBuf,
    /// How the API is served.
    pub http: HttpSettings,
    /// What stands before the contexts.
    pub gateway: GatewaySettings,
    /// The first admin.
    pub admin: AdminSettings,
    /// How an order is fulfilled.
    pub fulfilment: FulfilmentSettings,
    /// The order context.
    pub order: OrderSettings,
    /// The payment context.
    pub payment: PaymentSettings,
    /// The inventory context.
    pub inventory: InventorySettings,
    /// The user context.
    pub user: UserSettings,
    /// The notification context.
    pub notification: NotificationSettings,
    /// The shipping context.
    pub shipping: ShippingSettings,
    /// Where data is kept.
    pub database: DatabaseSettings,
    /// What carries events.
    pub bus: BusSettings,
    /// Where the contexts run.
    pub topology: TopologySettings,
    /// How the processes that run them call each other.
    pub internal: InternalSettings,
    /// What is logged, and how.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            http: HttpSettings::default(),
            gateway: GatewaySettings::default(),
            admin: AdminSettings::default(),
            fulfilment: FulfilmentSettings::default(),
            order: OrderSettings::default(),
            payment: PaymentSettings::default(),
            inventory: InventorySettings::default(),
            user: UserSettings::default(),
            notification: NotificationSettings::default(),
            shipping: ShippingSettings::default(),
            database: DatabaseSettings::default(),
            bus: BusSettings::default(),
            topology: TopologySettings::default(),
            internal: InternalSettings::default(),
            log: LogSettings::default(),
        }
    }
}

/// The settings of `admin`: the account made at start, where there is none of that address yet.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// The e-mail address.
    pub email: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl std::fmt::Debug for AdminSettings {
    /// Never shows the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminSettings").finish_non_exhaustive()
    }
}

/// The settings of `fulfilment`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FulfilmentSettings {
    /// Who is in charge of an order's steps.
    pub style: Style,
}

/// How an order's steps are brought about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// A saga in the order context calls the others.
    #[default]
    Orchestrated,
    /// Each context reacts to the events of the one before.
    Choreographed,
}

/// The settings of `database`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Where every context keeps its data: a Postgres database, with a schema to
    /// each; unset, in SQLite files in `data_dir`.
    pub url: Option<DatabaseUrl>,
    /// How SQLite is run.
    pub sqlite: SqliteOptions,
    /// How Postgres is used.
    pub postgres: PostgresOptions,
    /// Another place for the order context.
    pub order: ContextDatabase,
    /// Another place for the payment context.
    pub payment: ContextDatabase,
    /// Another place for the inventory context.
    pub inventory: ContextDatabase,
    /// Another place for the user context.
    pub user: ContextDatabase,
    /// Another place for the notification context.
    pub notification: ContextDatabase,
    /// Another place for the shipping context.
    pub shipping: ContextDatabase,
}

/// The settings of `database.<context>`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextDatabase {
    /// Where this context keeps its data.
    pub url: Option<DatabaseUrl>,
}

/// The URL of a Postgres database, which may hold a password and so is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(pub String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

/// A context's place on Postgres, and the setting that names it.
#[derive(Debug, Clone)]
pub struct Place {
    /// `database.payment.url`, or `database.url`.
    pub setting: String,
    /// Where it is.
    pub url: DatabaseUrl,
}

impl DatabaseSettings {
    /// Each context and what is set for it alone.
    pub fn contexts(&self) -> [(&'static str, &ContextDatabase); 6] {
        [
            ("order", &self.order),
            ("payment", &self.payment),
            ("inventory", &self.inventory),
            ("user", &self.user),
            ("notification", &self.notification),
            ("shipping", &self.shipping),
        ]
    }

    fn check(&self) -> Result<(), String> {
        self.postgres.validate()?;
        let own = self
            .contexts()
            .map(|(name, own)| (format!("database.{name}.url"), &own.url));
        for (setting, url) in own
            .into_iter()
            .chain([("database.url".to_owned(), &self.url)])
        {
            let checked = url
                .as_ref()
                .map_or(Ok(()), |url| cleave_store::check_url(&url.0));
            checked.map_err(|error| format!("{setting}: {error}"))?;
        }
        // One schema for six contexts would be none of theirs.
        if self
            .url
            .as_ref()
            .is_some_and(|url| url.0.contains("schema="))
        {
            return Err("database.url: each context has a schema of its own there; name one in database.<context>.url, or leave the parameter schema out".to_owned());
        }
        self.check_schemas()
    }

    /// Contexts share no schema: they would take each other's tables for their own.
    fn check_schemas(&self) -> Result<(), String> {
        let contexts = self.contexts().map(|(name, _)| name);
        let schemas = contexts.map(|name| (name, self.schema(name)));
        for (index, (one, schema)) in schemas.iter().enumerate() {
            let mut further = schemas.iter().skip(index + 1);
            let same = further.find(|(_, other)| schema.is_some() && schema == other);
            if let (Some((other, _)), Some(schema)) = (same, schema) {
                return Err(format!(
                    "database.{one}.url and database.{other}.url both lead to {schema}; each context has a schema of its own: leave the parameter schema out of one of the URLs, or name another"
                ));
            }
        }
        Ok(())
    }

    /// Server, database and schema where a context keeps its data, unless that is SQLite.
    pub fn schema(&self, context: &str) -> Option<String> {
        let place = self.place(context)?;
        cleave_store::schema_of(context, &place.url.0)
    }

    /// Where a context keeps its data, unless that is SQLite.
    pub fn place(&self, context: &str) -> Option<Place> {
        let own = self
            .contexts()
            .into_iter()
            .find(|(name, _)| *name == context);
        let own =
            own.and_then(|(name, own)| Some((format!("database.{name}.url"), own.url.clone()?)));
        let shared = || Some(("database.url".to_owned(), self.url.clone()?));
        let (setting, url) = own.or_else(shared)?;
        Some(Place { setting, url })
    }
}

/// The settings of `bus`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// What carries events.
    pub kind: BusKind,
    /// The bus within this process.
    pub in_process: InProcessOptions,
    /// From the outboxes to the bus.
    pub relay: RelayOptions,
    /// From the bus to the handlers.
    pub consumer: ConsumerOptions,
    /// The NATS broker.
    pub nats: NatsOptions,
}

impl BusSettings {
    /// What carries events, and where it is, go together.
    fn validate(&self) -> Result<(), String> {
        self.nats.validate()?;
        match (self.kind, &self.nats.url) {
            (BusKind::Nats, None) => Err("bus.kind is \"nats\" and bus.nats.url is not set; set it to where the broker is, as in nats://127.0.0.1:4222".to_owned()),
            (BusKind::InProcess, Some(_)) => Err("bus.nats.url is set and bus.kind is \"in_process\"; set bus.kind to \"nats\", or leave bus.nats.url unset".to_owned()),
            _ => Ok(()),
        }
    }
}

/// What carries events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusKind {
    /// Queues within this process.
    #[default]
    InProcess,
    /// A NATS server with JetStream.
    Nats,
}

/// The settings of `log`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged, as `tracing-subscriber`'s `EnvFilter` reads it: `info,cleave_saga=debug`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info,sea_orm_migration=warn".to_owned(),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// The settings under all layers, checked.
    pub fn load(layers: &Layers) -> Result<Self, SettingsError> {
        let settings: Self = layers.load()?;
        settings
            .check()
            .map_err(|reason| layers.contradiction(reason))?;
        Ok(settings)
    }

    /// What each part, and the whole, says against them.
    pub fn check(&self) -> Result<(), String> {
        self.check_parts()?;
        Topology::of(self)
            .map(drop)
            .map_err(|wrong| wrong.join("; "))
    }

    /// What each part says against them, but for where contexts run.
    pub(crate) fn check_parts(&self) -> Result<(), String> {
        self.http.validate()?;
        self.gateway.validate()?;
        self.order.validate()?;
        self.payment.validate()?;
        self.inventory.validate()?;
        self.user.validate()?;
        self.notification.validate()?;
        self.shipping.validate()?;
        self.database.sqlite.validate()?;
        self.database.check()?;
        self.bus.in_process.validate()?;
        self.bus.relay.validate()?;
        self.bus.consumer.validate()?;
        self.bus.validate()?;
        if self.admin.email.is_some() != self.admin.password.is_some() {
            return Err(
                "admin.email and admin.password go together: set both, or neither".to_owned(),
            );
        }
        self.log.filter.parse::<tracing_subscriber::EnvFilter>().map_err(|error| {
            format!("log.filter `{}` can't be read ({error}); write levels as in `info,cleave_saga=debug`", self.log.filter)
        })?;
        self.only_what_is_there()
    }

    /// Seams that are declared and not open in this version are refused by name,
    /// so that nobody believes to run on them.
    fn only_what_is_there(&self) -> Result<(), String> {
        if self.fulfilment.style != Style::Orchestrated {
            return Err("fulfilment.style: this version fulfils orders by the orchestrated saga; set it to \"orchestrated\" or leave it unset".to_owned());
        }
        Ok(())
    }
}
