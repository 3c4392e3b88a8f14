//! `cleave replay`: recorded orders, placed again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::signals::stop_requested;
use super::{CommandError, CommandResult, Sources};
use crate::client::{Client, Credentials};
use crate::demo::CUSTOMER;
use crate::replay::{self, Replay, Summary};
use crate::service::Service;
use crate::settings::Layers;

/// Places recorded orders over HTTP, each under its own idempotency key
///
/// Without --url it starts a server of its own on the data folder, with the demo
/// catalogue, and stops it at the end. Interrupted, the same command goes on
/// where it was.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cleave replay config/demo/orders.csv --data-dir /tmp/replay
  cleave replay config/demo/orders.csv --url http://127.0.0.1:8080 --concurrency 64
  cleave replay orders.csv --url https://shop.example --email me@example.com

The file's first line names its columns: order_no,placed_at,customer,country,sku,quantity.")]
pub(super) struct ReplayCommand {
    #[command(flatten)]
    sources: Sources,
    /// The file of orders
    #[arg(value_name = "ORDERS.csv")]
    file: PathBuf,
    /// Place them with the server that runs there
    #[arg(long, value_parser = super::server)]
    url: Option<String>,
    /// Who places them, for --url
    #[arg(long, default_value = CUSTOMER.email)]
    email: String,
    /// Their password, for --url
    #[arg(long, env = "CLEAVE_PASSWORD", default_value = CUSTOMER.password, hide_env_values = true, hide_default_value = true)]
    password: String,
    /// Orders under way at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Place the first so many only
    #[arg(long)]
    limit: Option<usize>,
    /// How each order is paid
    #[arg(long, default_value = "pm_card_visa")]
    payment_method: String,
    /// Goes before each order's number in its idempotency key; another prefix places the orders again
    #[arg(long, default_value = "replay-")]
    key_prefix: String,
    /// For how many seconds to try what fails for the moment
    #[arg(long, default_value_t = 30)]
    patience: u64,
}

impl ReplayCommand {
    pub(super) async fn run(self) -> CommandResult {
        let stop = stop_requested();
        let summary = match &self.url {
            Some(url) => self.replay(url, &stop).await?,
            None => self.embedded(&stop).await?,
        };
        super::print(&summary)?;
        if summary.is_complete() {
            Ok(())
        } else {
            Err(CommandError::Failure(
                "not every order was placed".to_owned(),
            ))
        }
    }

    async fn replay(&self, url: &str, stop: &CancellationToken) -> Result<Summary, CommandError> {
        let credentials = Credentials {
            email: self.email.clone(),
            password: self.password.clone(),
        };
        let client = Client::new(url, Some(credentials), Duration::from_secs(self.patience));
        let client = Arc::new(client.map_err(CommandError::failure)?);
        let replay = Replay {
            file: self.file.clone(),
            concurrency: self.concurrency.into(),
            limit: self.limit,
            payment_method: self.payment_method.clone(),
            key_prefix: self.key_prefix.clone(),
        };
        let mut running = std::pin::pin!(replay::run(&replay, client, stop.clone()));
        let outcome = tokio::select! {
            outcome = &mut running => outcome,
            () = stop.cancelled() => {
                eprintln!("stopping: orders under way are finished first");
                running.await
            }
        };
        outcome.map_err(CommandError::failure)
    }

    /// Through a server of its own, which asks nobody to slow down.
    async fn embedded(&self, stop: &CancellationToken) -> Result<Summary, CommandError> {
        replay::read(&self.file).map_err(CommandError::failure)?;
        let layers = self.sources.layers();
        let flags = [
            ("http.listen", "--url", "127.0.0.1:0".to_owned()),
            ("gateway.rate_limit.enabled", "--url", "false".to_owned()),
        ];
        let mut settings = super::settings(&Layers {
            flags: layers.flags.into_iter().chain(flags).collect(),
            ..layers
        })?;
        settings.admin = crate::settings::AdminSettings::default();
        let service = Service::start(&settings, crate::assembly::World::default(), true).await;
        let service = service.map_err(CommandError::failure)?;
        let summary = self
            .replay(&format!("http://{}", service.address()), stop)
            .await;
        service.stop().await;
        summary
    }
}
