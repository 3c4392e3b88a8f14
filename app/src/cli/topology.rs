//! `cleave topology`: where the contexts run, looked at before anything starts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CommandError, CommandResult, Sources};
use crate::settings::{Layers, Settings};
use crate::topology::{Topology, check_together};

/// Looks at where the contexts run, and starts nothing
#[derive(Debug, Subcommand)]
pub(super) enum TopologyCommand {
    Check(Check),
    Show(Show),
}

impl TopologyCommand {
    pub(super) fn run(self) -> CommandResult {
        match self {
            Self::Check(command) => command.run(),
            Self::Show(command) => command.run(),
        }
    }
}

/// Says everything that is wrong with a topology
///
/// Without files, of the settings as `serve` would read them. With files, each is
/// one process of a deployment, and they are also held against each other.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cleave topology check --config shop.toml
  cleave topology check order.toml payment.toml    two processes, and whether they fit together")]
pub(super) struct Check {
    #[command(flatten)]
    sources: Sources,
    /// The settings of one process
    #[arg(value_name = "FILE")]
    processes: Vec<PathBuf>,
}

impl Check {
    fn run(self) -> CommandResult {
        let base = self.sources.layers();
        let mut wrong = Vec::new();
        let mut read = Vec::new();
        let processes = self.named(&base);
        let count = processes.len();
        for (name, layers) in processes {
            let (settings, reasons) = look(&layers);
            let named = reasons.into_iter().map(|it| format!("{name}: {it}"));
            wrong.extend(named);
            read.extend(settings.map(|settings| (name, settings)));
        }
        if !self.processes.is_empty() {
            wrong.extend(check_together(&read, read.len() == count));
        }
        match wrong.len() {
            0 => super::print(&"nothing is wrong with this topology"),
            1 => Err(CommandError::Failure(wrong.remove(0))),
            many => Err(CommandError::Failure(format!(
                "{many} things are wrong with this topology:\n  {}",
                wrong.join("\n  ")
            ))),
        }
    }

    /// Each process by the name of its file.
    fn named(&self, base: &Layers) -> Vec<(String, Layers)> {
        if self.processes.is_empty() {
            return vec![("the settings".to_owned(), base.clone())];
        }
        let process = |path: &PathBuf| {
            let mut layers = base.clone();
            layers.files.push(path.clone());
            (path.display().to_string(), layers)
        };
        self.processes.iter().map(process).collect()
    }
}

/// The settings of a process, where they can be read, and all that is wrong with them
/// alone.
fn look(layers: &Layers) -> (Option<Settings>, Vec<String>) {
    let settings: Settings = match layers.load() {
        Ok(settings) => settings,
        Err(error) => return (None, vec![error.to_string()]),
    };
    let mut wrong = Topology::of(&settings).err().unwrap_or_default();
    let parts = settings.check_parts().err();
    wrong.extend(parts.map(|reason| layers.contradiction(reason).to_string()));
    (Some(settings), wrong)
}

/// Draws where the contexts run, as this process would see it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cleave topology show --config shop.toml --only payment")]
pub(super) struct Show {
    #[command(flatten)]
    sources: Sources,
    /// As `cleave serve --only`
    #[arg(long, value_name = "CONTEXT,…")]
    only: Option<String>,
}

impl Show {
    fn run(self) -> CommandResult {
        let mut layers = self.sources.layers();
        if let Some(only) = self.only {
            layers.flags.push(("topology.only", "--only", only));
        }
        let settings: Settings = layers.load()?;
        let topology =
            Topology::of(&settings).map_err(|wrong| CommandError::Usage(wrong.join("; ")))?;
        super::print(&topology.drawing(&settings))
    }
}
