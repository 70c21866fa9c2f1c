//! `config`: checking the configuration, and showing what holds.

use std::process::ExitCode;

use claviger_proto::catalogue::{Endpoint, Entry, Pattern, Provider, Socket};
use serde_json::json;

use super::exit::CONFIG;
use super::output::{clean, say};
use super::program::ConfigFile;
use crate::config::{Config, Policy};

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const WARNING: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();

/// Check the configuration, or show what holds.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the configuration and the catalogue's files, and say whether they are right; exit status 78 where they are not
    ///
    /// All that is wrong is named with file, line and column, at most 20 at a time. What is right and hardly meant, as a pattern that names every file, is warned of on
    /// standard error. A running sensor takes what changed in the catalogue's files with SIGHUP.
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
    /// List what is watched: every entry of the catalogue that holds, with its kind and patterns; token endpoints, identity
    /// providers, and sockets of programs that hold keys
    Catalogue {
        #[command(flatten)]
        file: ConfigFile,
        /// Print one JSON object a line: {"entry":{…}}, {"endpoint":{…}}, {"provider":{…}} or {"socket":{…}}
        #[arg(long)]
        json: bool,
    },
}

impl ConfigCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Check { file } => return check(&file),
            Command::Show { file, json } => {
                let effective = Config::load(file.config.as_deref())?.effective();
                if json {
                    say!("{}", serde_json::to_string(&effective)?);
                } else {
                    say!("{}", toml::to_string(&effective)?.trim_end());
                }
            }
            Command::Catalogue { file, json } => {
                let (_, policy) = Config::load_with_policy(file.config.as_deref())?;
                let catalogue = &policy.catalogue;
                for entry in catalogue.entries() {
                    say_entry(entry, json)?;
                }
                for endpoint in catalogue.endpoints() {
                    say_endpoint(endpoint, json)?;
                }
                for provider in catalogue.providers() {
                    say_provider(provider, json)?;
                }
                for socket in catalogue.sockets() {
                    say_socket(socket, json)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn check(file: &ConfigFile) -> anyhow::Result<ExitCode> {
    let checked = Config::check(file.config.as_deref());
    for fault in &checked.faults {
        anstream::eprintln!("{ERROR}error{ERROR:#}: {}", clean(fault));
    }
    if checked.more > 0 {
        anstream::eprintln!("and {} more", checked.more);
    }
    let Some(policy) = checked.policy else {
        return Ok(ExitCode::from(CONFIG));
    };
    let path = file.path();
    if path.exists() {
        say!("{} is right", path.display());
    } else {
        say!("{} is not there; the defaults hold", path.display());
    }
    say_policy(&policy)?;
    Ok(ExitCode::SUCCESS)
}

fn say_policy(policy: &Policy) -> anyhow::Result<()> {
    for warning in &policy.warnings {
        anstream::eprintln!("{WARNING}warning{WARNING:#}: {warning}");
    }
    for file in &policy.files {
        say!("{} is right", file.display());
    }
    say!(
        "catalogue of {} entries and {} kinds, digest {}",
        policy.catalogue.entries().len(),
        policy.catalogue.kinds().count(),
        policy.digest
    );
    Ok(())
}

fn say_entry(entry: &Entry, as_json: bool) -> anyhow::Result<()> {
    let globs: Vec<String> = entry.patterns().iter().map(ToString::to_string).collect();
    let except: Vec<String> = entry.exceptions().iter().map(ToString::to_string).collect();
    let content: Vec<&str> = entry.content().iter().map(|one| one.word()).collect();
    if as_json {
        let (id, kind, opt_in) = (entry.id(), entry.kind(), entry.is_opt_in());
        let entry = json!({"id": id, "kind": kind, "globs": globs, "except": except, "content": content, "opt_in": opt_in});
        say!("{}", json!({ "entry": entry }));
    } else {
        let asked = if entry.is_opt_in() {
            ", only where enabled"
        } else {
            ""
        };
        say!("{} ({}{asked})", entry.id(), entry.kind());
        for glob in globs {
            say!("    {glob}");
        }
        for glob in except {
            say!("    not {glob}");
        }
        if !content.is_empty() {
            say!("    where the content is: {}", content.join(", "));
        }
    }
    Ok(())
}

fn say_endpoint(endpoint: &Endpoint, as_json: bool) -> anyhow::Result<()> {
    let (id, provider, names) = (endpoint.id(), endpoint.provider(), endpoint.names());
    let addresses: Vec<String> = endpoint.addresses().iter().map(ToString::to_string).collect();
    let calls: Vec<String> = endpoint.calls().iter().map(ToString::to_string).collect();
    if as_json {
        let endpoint =
            json!({"id": id, "provider": provider, "addresses": addresses, "names": names, "calls": calls});
        say!("{}", json!({ "endpoint": endpoint }));
        return Ok(());
    }
    say!("{id} (token endpoint of {provider})");
    say!("    at {}", addresses.join(", "));
    if !names.is_empty() {
        say!("    by a proxy as {}", names.join(", "));
    }
    for call in calls {
        say!("    {call}");
    }
    Ok(())
}

fn say_provider(provider: &Provider, as_json: bool) -> anyhow::Result<()> {
    let (id, of, names) = (provider.id(), provider.provider(), provider.names());
    let addresses: Vec<String> = provider.addresses().iter().map(ToString::to_string).collect();
    if as_json {
        let provider = json!({"id": id, "provider": of, "names": names, "addresses": addresses});
        say!("{}", json!({ "provider": provider }));
        return Ok(());
    }
    say!("{id} (identity provider of {of})");
    for place in names.iter().chain(&addresses) {
        say!("    {place}");
    }
    Ok(())
}

fn say_socket(socket: &Socket, as_json: bool) -> anyhow::Result<()> {
    let shown = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (globs, names) = (shown(socket.patterns()), shown(socket.abstract_names()));
    if as_json {
        let socket =
            json!({"id": socket.id(), "kind": socket.kind(), "globs": globs, "abstract_names": names});
        say!("{}", json!({ "socket": socket }));
        return Ok(());
    }
    say!("{} (socket, {})", socket.id(), socket.kind());
    for glob in globs {
        say!("    {glob}");
    }
    for name in names {
        say!("    @{name}");
    }
    Ok(())
}
