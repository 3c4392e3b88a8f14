//! `cleave rebuild`: read models anew from the event history.

use std::io::IsTerminal;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{CommandError, CommandResult, Sources};
use crate::assembly::{Assembly, World, elsewhere};

/// Rebuilds the orders' read model from the event history; the server must not be running
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cleave rebuild --data-dir /var/lib/cleave")]
pub(super) struct RebuildCommand {
    #[command(flatten)]
    sources: Sources,
}

impl RebuildCommand {
    pub(super) async fn run(self) -> CommandResult {
        let settings = super::settings(&self.sources.layers())?;
        let assembly = Assembly::reopen(&settings, World::default())
            .await
            .map_err(CommandError::failure)?;
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} {pos} events read, {per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let Some(rebuild) = &assembly.rebuild else {
            return Err(CommandError::failure(elsewhere("order")));
        };
        let outcome = rebuild.run(|events| bar.set_position(events)).await;
        bar.finish_and_clear();
        assembly.close().await;
        let events = outcome.map_err(|error| CommandError::failure(error.into_store_error()))?;
        eprintln!("the read model of orders is rebuilt from {events} events");
        Ok(())
    }
}
