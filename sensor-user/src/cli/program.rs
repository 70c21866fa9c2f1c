//! The commands.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use super::{canary, check, config, cores, enrol, exit, output::NotWritten, run, scan, status, trace};
use crate::config::DEFAULT_PATH;

/// Watches how machine identities are used on this host.
///
/// The sensor sees processes take up credentials (key files, tokens, kubeconfigs), says which workload that was and which identity the
/// credential stands for, signs what it saw and forwards it to a detector.
#[derive(Debug, Parser)]
#[command(
    name = "claviger-sensor",
    version,
    after_help = "Begin with `claviger-sensor check`, which says what can be watched on this kernel, and\n\
                  `claviger-sensor trace -- COMMAND`, which shows the credentials a command uses.\n\n\
                  Exit status: 0 done; 1 a check failed; 2 wrong usage; 69 something needed is not there;\n\
                  70 a fault of the sensor; 73 a file for the output cannot be made; 74 the output could not be\n\
                  written; 77 not permitted; 78 wrong configuration. `trace` ends with its command's; 127 where\n\
                  that is not there, 126 where it cannot be started."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch this host and forward to the detector, until SIGTERM or Ctrl-C
    Run(run::Run),
    /// Run a command and show every credential that it and its descendants use
    Trace(trace::Trace),
    /// Say what can be watched here, by which hook, and what cannot be seen
    Check(check::Check),
    Scan(scan::Scan),
    /// Say how the running sensor is
    Status(status::StatusCommand),
    /// Have the running sensor keep everything that happened until now
    Flush(status::Flush),
    Enrol(enrol::Enrol),
    Config(config::ConfigCommand),
    #[command(name = canary::COMMAND, hide = true)]
    Canary(canary::Canary),
}

/// The configuration file that a command takes.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigFile {
    /// Configuration file [default: /etc/claviger/sensor.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that holds, whether it is there or not.
    pub(super) fn path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH))
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version too, which are results.
        Err(said) => return end_with(&said),
    };
    cores::prevent(match arguments.command {
        Command::Trace(_) => cores::Children::Users,
        _ => cores::Children::Own,
    });
    let done = match arguments.command {
        Command::Run(command) => command.run(),
        Command::Trace(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Scan(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Flush(command) => command.run(),
        Command::Enrol(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Canary(command) => command.run(),
    };
    done.unwrap_or_else(|error| fail(&error))
}

/// Ends as clap does, but not as if all were well where help could not be written.
fn end_with(said: &clap::Error) -> ExitCode {
    match said.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe && !said.use_stderr() => {
            fail(&NotWritten::stdout(error).into())
        }
        _ => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(exit::USAGE)),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{style}error{style:#}: {error:#}");
    ExitCode::from(exit::status_of(error))
}

/// The runtime, for what goes over sockets: whoever touches files has a thread of his own.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}
