//! `status` and `flush`: asking the running sensor.

mod text;

use std::{process::ExitCode, time::Duration};

use serde_json::json;

use super::output::say;
use super::program::{ConfigFile, runtime};
use crate::{
    agent::{Answer, EvidenceReport, Request, Status, ask},
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

/// What is wrong with a running sensor: probes that see no more, a policy that it could not take, and evidence that is lost or does not get to the detector.
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
    if status.labelled.not_remembered > 0 {
        faults.push(format!(
            "{} copies of credentials, and credentials that have left their places, find no room in the state directory: they are forgotten when the sensor ends",
            status.labelled.not_remembered
        ));
    }
    faults.extend(status.evidence.iter().flat_map(faults_behind));
    faults
}

/// What is wrong with the way behind the agent.
fn faults_behind(evidence: &EvidenceReport) -> Vec<String> {
    let mut faults = Vec::new();
    if evidence.refusing {
        faults.push("what comes now cannot be kept and is lost; its log says why".to_owned());
    }
    if evidence.is_unanchored {
        faults.push(
            "how far it has come cannot be written down beside its identity: if the spool is removed now, not all of that will be told"
                .to_owned(),
        );
    }
    if evidence.rejected_batches > 0 {
        faults.push(format!(
            "the detector has refused {} batches for good since the sensor was started: its findings and the sensor's log say why",
            evidence.rejected_batches
        ));
    }
    let error = evidence.last_error.iter();
    faults.extend(error.map(|why| format!("batches do not get to the detector: {why}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_to_be_remembered_is_a_fault() {
        let mut status = Status::default();
        assert_eq!(faults(&status), Vec::<String>::new());
        status.labelled.not_remembered = 3;
        assert!(faults(&status)[0].starts_with("3 copies of credentials"));
    }

    /// Each alone is wrong: nobody is to take a host for watched whose evidence goes nowhere.
    #[test]
    fn evidence_that_is_lost_or_goes_nowhere_is_a_fault() {
        let well = || EvidenceReport {
            connected: true,
            ..EvidenceReport::default()
        };
        assert_eq!(faults_behind(&well()), Vec::<String>::new());
        let wrong = [
            (
                "cannot be kept",
                EvidenceReport {
                    refusing: true,
                    ..well()
                },
            ),
            (
                "cannot be written down",
                EvidenceReport {
                    is_unanchored: true,
                    ..well()
                },
            ),
            (
                "refused 2 batches",
                EvidenceReport {
                    rejected_batches: 2,
                    ..well()
                },
            ),
            (
                "no route",
                EvidenceReport {
                    last_error: Some("no route".into()),
                    ..well()
                },
            ),
        ];
        for (word, evidence) in wrong {
            let status = Status {
                evidence: Some(evidence),
                ..Status::default()
            };
            let faults = faults(&status);
            assert!(
                faults.len() == 1 && faults[0].contains(word),
                "{word}: {faults:?}"
            );
        }
    }
}
