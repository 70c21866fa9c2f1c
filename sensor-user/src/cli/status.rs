//! `status` and `flush`: asking the running sensor.

mod text;

use std::{process::ExitCode, time::Duration};

use serde_json::json;

use super::output::say;
use super::program::{ConfigFile, runtime};
use crate::{
    agent::{Answer, Request, Status, ask},
    config::Config,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// The agent may wait for a scan before it answers that all is kept, for half as long.
const FLUSH_PATIENCE: Duration = Duration::from_secs(30);

/// How the running sensor is: its probes, its accounts, its way to the detector, and what it costs.
#[derive(Debug, clap::Args)]
pub(super) struct StatusCommand {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Returns when everything that happened before is sealed and on disk, and says up to which event.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 all is kept; 1 what came last could not be kept and is lost, as a gap will tell; 69 no sensor answers."
)]
pub(super) struct Flush {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON object: {"sensor_id", "boot_id", "sequence", "refusing", "rejected_batches"}
    #[arg(long)]
    json: bool,
}

impl StatusCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        show(&Config::load(self.config.config.as_deref())?, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Flush {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(self.config.config.as_deref())?;
        let answer = runtime()?.block_on(ask(&config.runtime_dir, Request::Flush, FLUSH_PATIENCE))?;
        let Answer::Flushed(flushed) = answer else {
            anyhow::bail!("the sensor answered something else")
        };
        if self.json {
            say!("{}", serde_json::to_string(&flushed)?);
        } else {
            say!(
                "kept up to event {} of boot {}",
                flushed.sequence,
                flushed.boot_id
            );
        }
        if flushed.rejected_batches > 0 {
            anstream::eprintln!(
                "the detector has refused {} batches for good since the sensor was started; its findings and this sensor's log say why",
                flushed.rejected_batches
            );
        }
        if flushed.refusing {
            anstream::eprintln!(
                "what came last could not be kept and is lost; `claviger-sensor status` and its log say why"
            );
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks for the status.
pub(super) fn asked(config: &Config) -> anyhow::Result<Status> {
    match runtime()?.block_on(ask(&config.runtime_dir, Request::Status, PATIENCE))? {
        Answer::Status(status) => Ok(*status),
        _ => anyhow::bail!("the sensor answered something else"),
    }
}

/// What is wrong with a running sensor: probes that see no more, and a policy that it could not take.
pub(super) fn faults(status: &Status) -> Vec<String> {
    let tests = status.self_test.iter();
    let mut faults: Vec<String> = tests
        .flat_map(|test| &test.blind)
        .map(|(probe, reason)| format!("{probe} does not see any more: {reason}"))
        .collect();
    let refused = status.policy.refused.iter();
    faults.extend(refused.map(|reason| format!("the newest catalogue is not in force: {reason}")));
    faults.extend(status.unbalanced.iter().map(|(account, by)| {
        format!(
            "the accounts of {account} do not add up, by {by}: uses may be missing that no loss was told for"
        )
    }));
    let hanging = status.hanging.iter();
    faults.extend(hanging.map(|path| format!("{path} does not answer: what lies there is not looked at")));
    if status.labelled.not_labelled > 0 {
        faults.push(format!(
            "{} credentials could not be labelled and are not watched",
            status.labelled.not_labelled
        ));
    }
    faults
}

/// Asks for the status and prints it.
pub(super) fn show(config: &Config, json: bool) -> anyhow::Result<Status> {
    let status = asked(config)?;
    if json {
        say!("{}", json!(status));
    } else {
        say!("{}", text::text(&status, &faults(&status)));
    }
    Ok(status)
}
