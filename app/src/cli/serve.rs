//! `cleave serve`: the server.

use clap::Args;

use super::signals::stop_requested;
use super::{CommandError, CommandResult, Sources, notify};
use crate::assembly::World;
use crate::service::Service;

/// Serves the API
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cleave serve --demo
  CLEAVE__ADMIN__EMAIL=ann@example.com CLEAVE__ADMIN__PASSWORD=… cleave serve --data-dir /var/lib/cleave
  cleave serve --config config/default.toml --listen 0.0.0.0:8080
  cleave serve --config shop.toml --only payment,shipping

SIGTERM and Ctrl-C stop it in good order: no new work, what is in flight is finished or in its log.")]
pub(super) struct Serve {
    #[command(flatten)]
    sources: Sources,
    /// Where to listen; port 0 takes a free one, and the log says which [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Run these contexts only; `gateway` runs none [default: those whose topology.<context> is local]
    #[arg(long, value_name = "CONTEXT,…")]
    only: Option<String>,
    /// Fill an empty data folder with a real catalogue, an admin and a customer
    #[arg(long)]
    demo: bool,
}

impl Serve {
    pub(super) async fn run(self) -> CommandResult {
        let stop = stop_requested();
        let mut layers = self.sources.layers();
        if let Some(listen) = &self.listen {
            layers
                .flags
                .push(("http.listen", "--listen", listen.clone()));
        }
        if let Some(only) = &self.only {
            layers.flags.push(("topology.only", "--only", only.clone()));
        }
        let settings = super::settings(&layers)?;
        let service = Service::start(&settings, World::default(), self.demo)
            .await
            .map_err(CommandError::failure)?;
        notify::tell(notify::READY);
        if self.demo {
            eprintln!("{}", service.welcome().await);
        }
        stop.cancelled().await;
        notify::tell(notify::STOPPING);
        tracing::info!("stopping");
        service.stop().await;
        tracing::info!("stopped");
        Ok(())
    }
}
