//! `cleave openapi`: the API's document.

use clap::Args;

use super::{CommandError, CommandResult};

/// Prints the OpenAPI 3.1 document of the public API
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cleave openapi > openapi.json")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) async fn run(self) -> CommandResult {
        let document = crate::service::document()
            .await
            .map_err(CommandError::failure)?;
        super::print(&document.to_pretty_json().map_err(CommandError::failure)?)
    }
}
