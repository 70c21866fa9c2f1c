//! `config`: checking the configuration, and showing what holds.

use std::process::ExitCode;

use claviger_proto::catalogue::Entry;
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
    /// List what is watched: every entry of the catalogue that holds, with its kind and patterns
    Catalogue {
        #[command(flatten)]
        file: ConfigFile,
        /// Print one JSON object a line, {"entry":{…}}
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
                for entry in policy.catalogue.entries() {
                    say_entry(entry, json)?;
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
