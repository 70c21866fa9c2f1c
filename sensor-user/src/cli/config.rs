//! `config`: checking a configuration file, and showing what holds.

use std::process::ExitCode;

use super::output::say;
use super::program::ConfigFile;
use crate::config::{Config, DEFAULT_PATH};

/// Check the configuration, or show what holds.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the configuration and say whether it is right; exit status 78 where it is not
    Check {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Show every value that holds, from the file or by default, in the form of the file
    Show {
        #[command(flatten)]
        file: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

impl ConfigCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Check { file } => {
                Config::load(file.config.as_deref())?;
                let path = file.config.unwrap_or_else(|| DEFAULT_PATH.into());
                if path.exists() {
                    say!("{} is right", path.display());
                } else {
                    say!("{} is not there; the defaults hold", path.display());
                }
            }
            Command::Show { file, json } => {
                let effective = Config::load(file.config.as_deref())?.effective();
                if json {
                    say!("{}", serde_json::to_string(&effective)?);
                } else {
                    say!("{}", toml::to_string(&effective)?.trim_end());
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
