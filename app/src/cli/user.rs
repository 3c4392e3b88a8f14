//! `cleave user`: accounts, from the command line.

use std::io::{BufRead, IsTerminal, Read};

use clap::{Args, Subcommand};
use cleave_user::Ensured;
use cleave_vocabulary::CallContext;

use super::{CommandError, CommandResult, Sources};
use crate::assembly::{Access, Assembly, World, elsewhere};

/// Works on accounts
#[derive(Debug, Subcommand)]
pub(super) enum User {
    CreateAdmin(CreateAdmin),
}

impl User {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::CreateAdmin(command) => command.run().await,
        }
    }
}

/// Makes an admin; the server must not be running on the data folder
///
/// The password comes from --password-stdin, from `CLEAVE__ADMIN__PASSWORD`, or is
/// asked for on the terminal.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cleave user create-admin --email ann@example.com --password-stdin < password.txt"
)]
pub(super) struct CreateAdmin {
    #[command(flatten)]
    sources: Sources,
    /// The e-mail address
    #[arg(long)]
    email: String,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl CreateAdmin {
    async fn run(self) -> CommandResult {
        let mut layers = self.sources.layers();
        // The address comes with the command; a password in the environment is for it.
        layers
            .flags
            .push(("admin.email", "--email", self.email.clone()));
        let given = layers
            .environment
            .iter()
            .find(|(name, _)| name == PASSWORD)
            .map(|(_, value)| value.clone());
        let password = match given {
            Some(password) if !self.password_stdin => password,
            _ => read_password(self.password_stdin)?,
        };
        layers
            .flags
            .push(("admin.password", "--password-stdin", password.clone()));
        let settings = super::settings(&layers)?;
        let assembly = Assembly::build(&settings, World::default(), Access::Beside)
            .await
            .map_err(CommandError::failure)?;
        let call = CallContext::root(&*assembly.world.ids);
        let Some(accounts) = &assembly.accounts else {
            return Err(CommandError::failure(elsewhere("user")));
        };
        let outcome = accounts.ensure_admin(&call, &self.email, &password).await;
        assembly.close().await;
        match outcome.map_err(CommandError::failure)? {
            Ensured::Created(_) => {
                eprintln!("{} is an admin now", self.email);
                Ok(())
            }
            Ensured::Existed(_) => {
                eprintln!("{} is an admin already; nothing was changed", self.email);
                Ok(())
            }
            Ensured::OtherRole(_) => Err(CommandError::Failure(format!(
                "{} has an account that is no admin's; choose another address",
                self.email
            ))),
        }
    }
}

const PASSWORD: &str = "CLEAVE__ADMIN__PASSWORD";

fn read_password(whole: bool) -> Result<String, CommandError> {
    let stdin = std::io::stdin();
    let mut text = String::new();
    if whole {
        stdin
            .lock()
            .read_to_string(&mut text)
            .map_err(CommandError::failure)?;
    } else if stdin.is_terminal() {
        eprint!("Password: ");
        stdin
            .lock()
            .read_line(&mut text)
            .map_err(CommandError::failure)?;
    } else {
        return Err(CommandError::Usage(format!(
            "give the password by --password-stdin or {PASSWORD}"
        )));
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
