//! `cleave serve`: the server.

use clap::Args;

use super::signals::stop_requested;
use super::{CommandError, CommandResult, Sources};
use crate::assembly::World;
use crate::service::Service;

/// Serves the API
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cleave serve --demo
  CLEAVE__ADMIN__EMAIL=ann@example.com CLEAVE__ADMIN__PASSWORD=… cleave serve --data-dir /var/lib/cleave
  cleave serve --config config/default.toml --listen 0.0.0.0:8080

SIGTERM and Ctrl-C stop it in good order: no new work, what is in flight is finished or in its log.")]
pub(super) struct Serve {
    #[command(flatten)]
    sources: Sources,
    /// Where to listen; port 0 takes a free one, and the log says which [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Run these contexts only [default: all six]
    #[arg(long, value_name = "CONTEXT", value_delimiter = ',')]
    only: Vec<String>,
    /// Fill an empty data folder with a real catalogue, an admin and a customer
    #[arg(long)]
    demo: bool,
}

/// The contexts that there are.
const CONTEXTS: [&str; 6] = [
    "order",
    "payment",
    "inventory",
    "user",
    "notification",
    "shipping",
];

impl Serve {
    pub(super) async fn run(self) -> CommandResult {
        self.check_only()?;
        let stop = stop_requested();
        let mut layers = self.sources.layers();
        if let Some(listen) = &self.listen {
            layers
                .flags
                .push(("http.listen", "--listen", listen.clone()));
        }
        let settings = super::settings(&layers)?;
        let service = Service::start(&settings, World::default(), self.demo)
            .await
            .map_err(CommandError::failure)?;
        if self.demo {
            eprintln!("{}", service.welcome().await);
        }
        stop.cancelled().await;
        tracing::info!("stopping");
        service.stop().await;
        tracing::info!("stopped");
        Ok(())
    }

    /// A part of the contexts can only run where the others can be reached.
    fn check_only(&self) -> Result<(), CommandError> {
        if let Some(unknown) = self
            .only
            .iter()
            .find(|name| !CONTEXTS.contains(&name.as_str()))
        {
            return Err(CommandError::Usage(format!(
                "--only: there is no context `{unknown}`; there are {}",
                CONTEXTS.join(", ")
            )));
        }
        if !self.only.is_empty()
            && CONTEXTS
                .iter()
                .any(|name| !self.only.iter().any(|only| only == name))
        {
            return Err(CommandError::Usage(
                "--only: this version runs every context in one process; leave --only out, or name all six".to_owned(),
            ));
        }
        Ok(())
    }
}
