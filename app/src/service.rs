//! The whole program in motion: contexts, gateway and listener, from start to
//! orderly stop. `serve`, the embedded replay and the suites all run this.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use cleave_messaging::EventBus;
use cleave_store::Store;
use cleave_user::Ensured;
use cleave_vocabulary::CallContext;
use cleave_web::TokenVerifier;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::assembly::{Access, Assembly, Running, StartError, World};
use crate::gateway::{self, Front, Others, Parts};
use crate::host::{self, Condition, Health, Metrics, Readiness};
use crate::ops::{FulfilmentStyle, Operations, Placement, Transport};
use crate::settings::Settings;
use crate::topology::Links;
use crate::{demo, internal, ops};

/// The program, running.
pub struct Service {
    address: SocketAddr,
    internal: Option<SocketAddr>,
    running: Running,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The recorder of metrics is the process's, so it is made once, and before
/// anything that records: what asks for a counter earlier gets one that counts nothing.
fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS
        .get_or_init(|| Metrics::install().unwrap_or_else(|_| Metrics::detached()))
        .clone()
}

fn health(store: &Store, bus: &Arc<dyn EventBus>) -> Health {
    let (store, bus) = (store.clone(), bus.clone());
    Arc::new(move || Condition::of(store.health(), bus.health()))
}

impl Service {
    /// Starts everything; returns once it answers.
    pub async fn start(settings: &Settings, world: World, demo: bool) -> Result<Self, StartError> {
        let metrics = metrics();
        let assembly = Assembly::build(settings, world, Access::Serve).await?;
        if let Err(refused) = assembly.claim().await {
            // What it has opened is another's to open.
            assembly.close().await;
            return Err(refused);
        }
        prepare(settings, &assembly, demo).await?;
        let public = listen("http.listen (--listen)", settings.http.listen).await?;
        let address = address_of(&public)?;
        let inside = match settings.internal.listen {
            Some(internal) => Some(listen("internal.listen", internal).await?),
            None => None,
        };
        let internal = inside.as_ref().map(address_of).transpose()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let front = Fronts::open(settings, &assembly, metrics, &stop, &tasks).await?;
        let running = assembly.start(&settings.bus).await?;
        let serve = |listener: TcpListener, router: Router| {
            let (http, stopping) = (settings.http.clone(), stop.clone());
            tasks.spawn(async move { host::serve(listener, router, &http, stopping).await });
        };
        if let Some((inside, router)) = inside.zip(front.internal) {
            serve(inside, router);
        }
        serve(public, front.public);
        tasks.close();
        if let Some(internal) = internal {
            tracing::info!("other processes call here: internal http://{internal}");
        }
        tracing::info!(data_dir = %settings.data_dir.display(), "ready: http://{address}");
        Ok(Self {
            address,
            internal,
            running,
            tasks,
            stop,
        })
    }

    /// Where other processes call it.
    pub fn internal_address(&self) -> Option<SocketAddr> {
        self.internal
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to do next, for whoever has just started the demo.
    pub async fn welcome(&self) -> String {
        let address = from_here(self.address);
        let url = format!("http://{address}/api/v1/inventory/products?search=candle&limit=1");
        let page = async { reqwest::get(url).await?.json::<Value>().await };
        let product = page
            .await
            .ok()
            .and_then(|page| page["items"][0]["id"].as_str().map(str::to_owned));
        demo::welcome(address, product.as_deref().unwrap_or("prd_…"))
    }

    /// No new work; what is in flight is finished or handed to its log.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        self.running.stop().await;
    }
}

/// How this machine reaches who listens there: not every system takes a connection
/// to all of its addresses.
pub(crate) fn from_here(listen: SocketAddr) -> SocketAddr {
    let host: IpAddr = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, listen.port())
}

async fn listen(setting: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| {
        StartError::of(
            "http",
            format!(
                "{address} can't be listened on ({error}); set {setting} to another address or port"
            ),
        )
    })
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|error| StartError::of("http", error))
}

/// The accounts and products that the settings ask for, where they are not there yet.
async fn prepare(
    settings: &Settings,
    assembly: &Assembly,
    with_demo: bool,
) -> Result<(), StartError> {
    let admin = settings
        .admin
        .email
        .as_ref()
        .zip(settings.admin.password.as_ref());
    // Where accounts are elsewhere, the process that has them makes this one.
    if let (Some((email, password)), Some(accounts)) = (admin, &assembly.accounts) {
        let call = CallContext::root(&*assembly.world.ids);
        let ensured = accounts.ensure_admin(&call, email, password).await;
        match ensured.map_err(|error| StartError::of("admin", error))? {
            Ensured::Created(id) => tracing::info!(%id, "the first admin was made"),
            Ensured::Existed(_) => {}
            Ensured::OtherRole(_) => {
                return Err(StartError::of(
                    "admin",
                    "admin.email has an account that is no admin's; set another address",
                ));
            }
        }
    }
    if with_demo {
        demo::seed(assembly).await?;
    }
    Ok(())
}

/// Everything that is served: to clients, and to other processes.
struct Fronts {
    public: Router,
    internal: Option<Router>,
}

impl Fronts {
    async fn open(
        settings: &Settings,
        assembly: &Assembly,
        metrics: Metrics,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Self, StartError> {
        let parts = parts(settings, assembly, metrics, stop, tasks).await?;
        let fronts = assembly.contexts.iter().map(|context| Front {
            name: context.name,
            api: context.api.clone(),
            health: health(&context.store, &assembly.bus),
        });
        let mut ops = operations(assembly)?;
        ops.others = parts.others.clone();
        let public = gateway::router(fronts.collect(), ops::api(ops), &parts);
        let links = assembly.links.as_ref();
        let links = links.filter(|_| settings.internal.listen.is_some());
        let internal = links.map(|links| inside(links, assembly, &parts));
        Ok(Self {
            public,
            internal: internal.transpose()?,
        })
    }
}

async fn parts(
    settings: &Settings,
    assembly: &Assembly,
    metrics: Metrics,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Parts, StartError> {
    let World { clock, ids } = assembly.world.clone();
    let verifier = TokenVerifier::new(clock.clone());
    if assembly.topology.is_here("user") {
        gateway::fetch_keys(&*assembly.users, &verifier, &*clock, &*ids)
            .await
            .map_err(|error| StartError::of("user", error))?;
    }
    tasks.spawn(gateway::keep_keys(
        assembly.users.clone(),
        verifier.clone(),
        clock.clone(),
        ids.clone(),
        stop.clone(),
    ));
    tasks.spawn(metrics.clone().upkeep(clock.clone(), stop.clone()));
    // A stream that lives says so once in a keep-alive.
    let silence = settings.order.follow.keep_alive * 3;
    let others = assembly
        .links
        .as_ref()
        .map(|it| Others::of(it, &settings.gateway.forward, silence));
    let others = others.transpose();
    Ok(Parts {
        clock,
        ids,
        verifier,
        users: assembly.users.clone(),
        metrics,
        http: settings.http.clone(),
        gateway: settings.gateway.clone(),
        stop: stop.clone(),
        others: others
            .map_err(|reason| StartError::of("internal", reason))?
            .unwrap_or_default(),
    })
}

/// What other processes reach.
fn inside(links: &Links, assembly: &Assembly, parts: &Parts) -> Result<Router, StartError> {
    let services = links
        .verifier()
        .map_err(|error| StartError::of("internal", error))?;
    let contexts = assembly.contexts.iter();
    let contexts = contexts.map(|it| (it.name, health(&it.store, &assembly.bus)));
    let readiness = Readiness {
        contexts: Arc::new(contexts.collect()),
        elsewhere: None,
        stop: parts.stop.clone(),
    };
    let ops = ops::api(operations(assembly)?);
    Ok(internal::router(
        &assembly.contexts,
        ops,
        readiness,
        &services,
        parts,
    ))
}

/// What operators look at.
fn operations(assembly: &Assembly) -> Result<Operations, StartError> {
    let mut operations = Operations::new(assembly.operators.clone());
    for context in &assembly.contexts {
        operations.add(context, FulfilmentStyle::Orchestrated);
        operations.topology.push(Placement {
            context: context.name,
            process: PROCESS.to_owned(),
            transport: Transport::Local,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            health: health(&context.store, &assembly.bus),
        });
    }
    operations.guards.extend(assembly.guards.iter().cloned());
    operations.auditors = assembly.auditors()?;
    Ok(operations)
}

/// What this process is called where contexts are placed.
const PROCESS: &str = "cleave";

/// The document of the whole public API, from contexts that are built in a
/// folder of their own and never start.
pub async fn document() -> Result<OpenApi, StartError> {
    let folder = tempfile::tempdir().map_err(|error| StartError::of("openapi", error))?;
    let settings = Settings {
        data_dir: folder.path().to_owned(),
        ..Settings::default()
    };
    let assembly = Assembly::build(&settings, World::default(), Access::Migrate).await?;
    let ops = ops::api(operations(&assembly)?);
    let apis = assembly.contexts.iter().map(|context| context.api.clone());
    let operations = apis
        .fold(OpenApiRouter::default().merge(ops), OpenApiRouter::merge)
        .into_openapi();
    assembly.close().await;
    Ok(gateway::document(operations))
}
