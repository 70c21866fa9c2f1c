//! The detector's `watch`, which shows what comes.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::Options;
use super::enrolment::{State, output};
use super::notify::NotifySocket;
use super::service::{Service, detached};
use super::signals::Signals;
use crate::build::Programs;
use crate::process;

/// From the flush to the last finding. Detection takes milliseconds; a machine that is busy compiling takes longer.
const END: Duration = Duration::from_secs(30);

/// Starts watching and returns when nothing is missed any more. `only` is the process, as `PID:TICKS`, whose descendants are shown.
pub(super) fn start(
    programs: &Programs,
    state: &State,
    socket: NotifySocket,
    signals: &Signals,
    options: &Options,
    only: Option<&str>,
) -> anyhow::Result<Service> {
    let mut command = detached(&programs.detector);
    command
        .args(["watch", "--summary", "--data-dir"])
        .arg(state.detector());
    command.env("NOTIFY_SOCKET", socket.path());
    if options.json || options.output.is_some() {
        command.arg("--json");
    }
    if let Some(only) = only {
        command
            .args(["--descendants-of", only, "--until-stdin"])
            .stdin(Stdio::piped());
    }
    if let Some(path) = &options.output {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        command.stdout(file);
    }
    let child = command.spawn().context("starting the detector's watch")?;
    let mut watch = Service::started("the detector's watch", child, &state.log("detector"))?;
    watch.wait_ready(socket, signals)?;
    Ok(watch)
}

/// Has the sensor send all that it saw until now, then waits until that has been through detection and the watch has shown it.
pub(super) fn finish(programs: &Programs, state: &State, watch: &mut Service) -> anyhow::Result<ExitStatus> {
    let flushed = output(
        Command::new(&programs.sensor)
            .args(["flush", "--json", "--config"])
            .arg(state.sensor_config()),
        None,
        "having the sensor send what it saw",
    )?;
    let position =
        position(&flushed).with_context(|| format!("the sensor's flush printed no position: {flushed}"))?;
    let mut input = watch
        .child()
        .stdin
        .take()
        .context("the watch has no standard input")?;
    input
        .write_all(position.as_bytes())
        .context("telling the watch where to end")?;
    drop(input);
    process::wait_timeout(watch.child(), END)
        .context("waiting for the watch")?
        .with_context(|| format!("the events were not through detection after {} s", END.as_secs()))
}

/// `{"sensor_id":…,"boot_id":…,"sequence":…}` as the watch reads it.
fn position(json: &str) -> Option<String> {
    let value: serde_json::Value = json.lines().find_map(|line| serde_json::from_str(line).ok())?;
    let (sensor, boot) = (value.get("sensor_id")?.as_str()?, value.get("boot_id")?.as_str()?);
    Some(format!("{sensor}/{boot}/{}\n", value.get("sequence")?.as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_passed_on() {
        let json = "{\"sensor_id\":\"s\",\"boot_id\":\"b\",\"sequence\":7}\n";
        assert_eq!(position(json).as_deref(), Some("s/b/7\n"));
        assert_eq!(position("{\"sensor_id\":\"s\",\"boot_id\":\"b\"}"), None);
        assert_eq!(position(""), None);
    }
}
