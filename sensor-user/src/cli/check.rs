//! `check`: what can be watched here.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::{
    canary, exit, log,
    output::say,
    program::{ConfigFile, runtime},
    status,
};
use crate::{
    agent::ControlError,
    attribute::Cgroups,
    config::{Config, Network},
    kernel::{Kernel, LoadOptions, ProbeState},
};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// Loads every probe, sees whether it works, and says what each cannot see. Works beside a running sensor, and says what is wrong with that one
/// too. Exit status 1 where this host cannot be watched, or a running sensor is blind, has to do without the newest catalogue, could not label
/// all credentials, or cannot keep its evidence or get it to the detector.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFile,
    /// Instead, ask the running sensor what it costs: memory, CPU, accounts
    #[arg(long = "self")]
    of_running: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(self.config.config.as_deref())?;
        log::start(&config.log);
        if self.of_running {
            let status = status::show(&config, self.json)?;
            return Ok(exit_code(&status::faults(&status)));
        }
        let faults = running_faults(&config);
        let runtime = runtime()?;
        let _inside = runtime.enter();
        let options = LoadOptions {
            file_open_hooks: config.probes.file_open_hooks.clone(),
            compat_calls: config.probes.compat_calls,
            network: config.probes.network != Network::Off,
            ring_bytes: config.probes.ring_bytes,
            max_labelled_files: config.catalogue.max_labelled_files,
            canary_command: canary::command(),
            ..LoadOptions::default()
        };
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let kernel = match Kernel::load(&options) {
            Ok(kernel) => kernel,
            Err(error) => {
                let error = anyhow::Error::from(error);
                if self.json {
                    say!(
                        "{}",
                        json!({"kernel": release, "can_watch": false, "reason": format!("{error:#}"), "probes": []})
                    );
                } else {
                    say!("kernel {release}\n{BAD}this host cannot be watched{BAD:#}: {error:#}");
                }
                return Ok(ExitCode::from(exit::FAILED));
            }
        };
        let cgroups = Cgroups::find();
        if self.json {
            let probes: Vec<_> = kernel.probes.iter().map(probe_json).collect();
            say!(
                "{}",
                json!({
                    "kernel": release,
                    "can_watch": true,
                    "active_lsms": kernel.active_lsms,
                    "cgroup_v2": cgroups.root().map(|root| root.display().to_string()),
                    "probes": probes,
                    "running_sensor_faults": faults,
                })
            );
        } else {
            show(&release, &kernel, &cgroups)?;
            for fault in &faults {
                say!("{BAD}the running sensor{BAD:#}: {fault}");
            }
        }
        Ok(exit_code(&faults))
    }
}

/// What is wrong with a running sensor; nothing where none runs.
fn running_faults(config: &Config) -> Vec<String> {
    match status::asked(config) {
        Ok(status) => status::faults(&status),
        Err(error) => match error.downcast_ref::<ControlError>() {
            Some(ControlError::Connect { .. }) => Vec::new(),
            _ => vec![format!("it does not say how it is: {error:#}")],
        },
    }
}

fn exit_code(faults: &[String]) -> ExitCode {
    if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FAILED)
    }
}

fn probe_json(state: &ProbeState) -> serde_json::Value {
    let refused: Vec<_> = state
        .refused
        .iter()
        .map(|trial| json!({"hook": trial.hook, "reason": trial.reason}))
        .collect();
    json!({
        "probe": state.probe.word(),
        "hook": state.hook,
        "refused": refused,
        "cannot_see": state.cannot_see,
    })
}

fn show(release: &str, kernel: &Kernel, cgroups: &Cgroups) -> anyhow::Result<()> {
    say!(
        "kernel {release}, active LSMs: {}",
        kernel.active_lsms.as_deref().unwrap_or("not known")
    );
    match cgroups.root() {
        Some(root) => say!("cgroup v2 at {}", root.display()),
        None => {
            say!("{BAD}cgroup v2 is not mounted{BAD:#}: units, sessions and containers cannot be told apart");
        }
    }
    for state in &kernel.probes {
        let name = state.probe.word();
        match &state.hook {
            Some(hook) => say!("{GOOD}✓{GOOD:#} {name:<17} {hook}"),
            None => say!("{BAD}✗{BAD:#} {name:<17} by no hook"),
        }
        for trial in &state.refused {
            say!("    {DIM}not {trial}{DIM:#}");
        }
        for what in &state.cannot_see {
            say!("    cannot see: {what}");
        }
    }
    say!("{GOOD}this host can be watched{GOOD:#}");
    Ok(())
}
