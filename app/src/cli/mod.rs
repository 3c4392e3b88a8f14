//! The command line: what can be asked of the program, and how it answers.
//! Results go to standard output, messages to standard error; the status is 0
//! on success, 2 for wrong usage, 1 for failure.

mod audit;
mod health;
mod migrate;
mod notify;
mod openapi;
mod rebuild;
mod relocate;
mod replay;
mod serve;
mod signals;
mod topology;
mod user;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Layers, Settings, SettingsError};

/// An order-fulfilment backend: six bounded contexts in one binary.
#[derive(Debug, Parser)]
#[command(name = "cleave", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cleave serve --demo                     a shop with a real catalogue, on http://127.0.0.1:8080
  cleave replay config/demo/orders.csv    10,000 real orders, through a server of its own
  cleave audit                            counts every invariant over the data folder

Every setting can be given in a file (--config), or in the environment: http.listen
is CLEAVE__HTTP__LISTEN. Flags win over the environment, and that over files.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Replay(replay::ReplayCommand),
    Audit(audit::Audit),
    Rebuild(rebuild::RebuildCommand),
    Migrate(migrate::Migrate),
    #[command(name = "move")]
    Move(relocate::Relocate),
    Health(health::Health),
    #[command(subcommand)]
    User(user::User),
    Openapi(openapi::Openapi),
    #[command(subcommand)]
    Topology(topology::TopologyCommand),
}

/// Where the settings come from, besides the environment.
#[derive(Debug, Clone, Args)]
struct Sources {
    /// A TOML file with settings; may be given again, later files win
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder with everything that is kept [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Sources {
    fn layers(&self) -> Layers {
        let mut layers = Layers {
            files: self.files.clone(),
            ..Layers::of_process()
        };
        if let Some(folder) = &self.data_dir {
            layers
                .flags
                .push(("data_dir", "--data-dir", folder.display().to_string()));
        }
        layers
    }
}

/// How a command can fail.
#[derive(Debug)]
enum CommandError {
    /// It was asked wrongly.
    Usage(String),
    /// It could not be done.
    Failure(String),
}

impl From<SettingsError> for CommandError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl CommandError {
    fn failure(error: impl std::fmt::Display) -> Self {
        Self::Failure(error.to_string())
    }
}

type CommandResult = Result<(), CommandError>;

/// Reads the command line, does what it says, and tells the status to end with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help or the version is no mistake; an empty line is.
            let status = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return told(CommandError::failure(error)),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve(command) => command.run().await,
            Command::Replay(command) => command.run().await,
            Command::Audit(command) => command.run().await,
            Command::Rebuild(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::Move(command) => command.run().await,
            Command::Health(command) => command.run().await,
            Command::User(command) => command.run().await,
            Command::Openapi(command) => command.run().await,
            Command::Topology(command) => command.run(),
        }
    });
    outcome.map_or_else(told, |()| ExitCode::SUCCESS)
}

/// Prints what a command came to. A reader that has closed the pipe has read enough.
fn print(result: &impl std::fmt::Display) -> CommandResult {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::failure(error)),
        _ => Ok(()),
    }
}

fn told(error: CommandError) -> ExitCode {
    let (message, status) = match error {
        CommandError::Usage(message) => (message, 2),
        CommandError::Failure(message) => (message, 1),
    };
    eprintln!("cleave: {message}");
    ExitCode::from(status)
}

/// The base URL of a server, as a flag gives it.
fn server(text: &str) -> Result<String, String> {
    let usable = reqwest::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if usable {
        Ok(text.to_owned())
    } else {
        Err("write where the server is, as in http://127.0.0.1:8080".to_owned())
    }
}

/// The settings, with the log begun as they say.
fn settings(layers: &Layers) -> Result<Settings, CommandError> {
    let settings = Settings::load(layers)?;
    crate::log::begin(&settings.log).map_err(CommandError::failure)?;
    Ok(settings)
}
