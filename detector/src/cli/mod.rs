//! The commands.
//!
//! - `serve` and `token` make the data directory where it is not there; the others create nothing and work while `serve` runs and
//!   while it does not (`watch` needs it).
//! - Results go to standard output, everything else to standard error. `--json` prints one object a line.
//! - A reader that goes away (`| head`) ends a command quietly.

mod cores;
mod events;
mod exit;
mod findings;
mod output;
mod sensors;
mod serve;
mod token;
mod watch;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::show::{clean, clean_lines};
use crate::store::{DataDir, StoreError};

/// Takes signed evidence from sensors, keeps it, and says what is unusual in it.
#[derive(Debug, Parser)]
#[command(name = "claviger-detector", version, after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
A first run:
  claviger-detector serve                      in one terminal, or as a service
  claviger-detector token new                  gives a token, for one sensor
  claviger-sensor enrol --detector HOST:7402 --token-file -
                                               on the sensor's host; takes the token from standard input
  claviger-detector watch                      shows events and findings as they come

Exit codes:
  0   done
  1   a check failed: evidence is damaged, or something went wrong that has no code of its own
  2   the command line is wrong
  69  something needed is not there: no data, no running detector, the address is taken
  74  the output, or a file, cannot be written: there is no room for it
  77  not permitted
  78  the configuration, or a file of the data directory, is wrong";

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, check, store and look at evidence until stopped (SIGINT or SIGTERM)
    Serve(serve::Serve),
    /// Make and list join tokens
    #[command(subcommand)]
    Token(token::Token),
    /// List the sensors that enrolled
    Sensors(sensors::Sensors),
    /// Show stored events, oldest first
    Events(events::Events),
    /// Show stored findings, oldest first
    Findings(findings::Findings),
    /// Show events and findings of the running detector as they come
    Watch(watch::Watch),
}

/// Which detector.
#[derive(Args, Clone, Debug)]
struct Which {
    /// Where the detector keeps everything [default: the configuration's, /var/lib/claviger/detector]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file [default: /etc/claviger/detector.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Which {
    fn config(&self) -> Result<Config, ConfigError> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data_dir) = &self.data_dir {
            config.data_dir.clone_from(data_dir);
        }
        Ok(config)
    }

    /// The data directory of a detector that has run before.
    fn directory(&self) -> anyhow::Result<DataDir> {
        Ok(DataDir::open(&self.config()?.data_dir)?)
    }

    /// The data directory; made where it is not there.
    fn made_directory(&self) -> anyhow::Result<DataDir> {
        let directory: Result<_, StoreError> = DataDir::create(&self.config()?.data_dir);
        Ok(directory?)
    }
}

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
            return match error.print() {
                // Help and version are results.
                Err(why) if why.kind() == io::ErrorKind::StorageFull && !error.use_stderr() => {
                    anstream::eprintln!("claviger-detector: {why}");
                    ExitCode::from(exit::NOT_WRITTEN)
                }
                // There is nowhere else to say it.
                _ => ExitCode::from(code),
            };
        }
    };
    cores::prevent();
    let done = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Sensors(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Findings(command) => command.run(),
        Command::Watch(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if exit::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}");
            // What the parser of the configuration says points at a line.
            let text = if error.is::<ConfigError>() {
                clean_lines(&text)
            } else {
                clean(&text).into_owned()
            };
            anstream::eprintln!("claviger-detector: {text}");
            ExitCode::from(exit::code(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_tells_the_exit_codes_and_what_is_true() {
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains("asks for"), "no command asks");
        for code in [
            exit::FAILED,
            exit::USAGE,
            exit::UNAVAILABLE,
            exit::NOT_WRITTEN,
            exit::PERMISSION,
            exit::CONFIG,
        ] {
            assert!(help.contains(&format!("\n  {code} ")), "{code}");
        }
    }
}
