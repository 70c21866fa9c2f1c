//! One run of `up`, from the first process to the last.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::demo::DemoHome;
use super::enrolment::{self, State};
use super::gate::Held;
use super::notify::NotifySocket;
use super::rundir::RunDirectory;
use super::service::{Came, Service, detached, wait};
use super::signals::Signals;
use super::{Options, command, watch};
use crate::build::Programs;
use crate::exit;
use crate::workspace::Workspace;

const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
const DEMO_HOME: &str = "/home/demo";

/// Starts everything, watches, and stops everything. What is declared later is stopped earlier.
pub(super) fn run(workspace: &Workspace, programs: &Programs, options: &Options) -> anyhow::Result<ExitCode> {
    let state = State::lock(workspace.scratch("up")?)?;
    let signals = Signals::catch()?;
    let sockets = RunDirectory::make()?;
    let _demo = DemoHome::prepare(Path::new(DEMO_HOME), &state.demo_note())?;

    let mut detector = start_detector(programs, &state, sockets.path(), &signals)?;
    let address = address(&state)?;
    enrolment::ensure(programs, &state, &address)?;
    state.write_config(&address)?;
    let held = if options.command.is_empty() {
        None
    } else {
        Some(Held::start(
            sockets.path(),
            &signals,
            &options.command,
            |holder| command::redirect(holder, options),
        )?)
    };
    let mut sensor = start_sensor(programs, &state, sockets.path(), &signals)?;
    let socket = NotifySocket::bind(sockets.path(), "watch")?;
    let key = held.as_ref().map(Held::key);
    let mut watch = watch::start(programs, &state, socket, &signals, options, key.as_deref())?;

    let code = match held {
        None => {
            eprintln!("watching this host; Ctrl-C ends it");
            until_interrupted([&mut watch, &mut sensor, &mut detector], &signals)?;
            ExitCode::SUCCESS
        }
        Some(held) => {
            let mut child = held.open()?;
            let status = command::wait_for(&mut child, [&mut watch, &mut sensor, &mut detector], &signals)?;
            let ended = watch::finish(programs, &state, &mut watch)?;
            anyhow::ensure!(ended.success(), "the detector's watch ended: {ended}");
            ExitCode::from(exit::code_of(status))
        }
    };
    for service in [&mut watch, &mut sensor, &mut detector] {
        service.stop()?;
    }
    Ok(code)
}

fn start_detector(
    programs: &Programs,
    state: &State,
    sockets: &Path,
    signals: &Signals,
) -> anyhow::Result<Service> {
    let socket = NotifySocket::bind(sockets, "detector")?;
    let mut command = detached(&programs.detector);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(state.detector());
    command.env("NOTIFY_SOCKET", socket.path());
    let mut detector = Service::start("claviger-detector serve", command, &state.log("detector"))?;
    detector.wait_ready(socket, signals)?;
    Ok(detector)
}

/// Where the detector listens, by its own word.
fn address(state: &State) -> anyhow::Result<String> {
    let path = state.detector().join("listening");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.trim().to_owned())
}

fn start_sensor(
    programs: &Programs,
    state: &State,
    sockets: &Path,
    signals: &Signals,
) -> anyhow::Result<Service> {
    let socket = NotifySocket::bind(sockets, "sensor")?;
    let mut command = detached(&programs.sensor);
    command.args(["run", "--config"]).arg(state.sensor_config());
    command.env("NOTIFY_SOCKET", socket.path());
    let mut sensor = Service::start("claviger-sensor run", command, &state.log("sensor"))?;
    sensor.wait_ready(socket, signals)?;
    Ok(sensor)
}

/// Until Ctrl-C, or until the watch ends well because nobody reads it any more. Any other end of a service is a failure.
fn until_interrupted(services: [&mut Service; 3], signals: &Signals) -> anyhow::Result<()> {
    let came = {
        let [watch, sensor, detector] = &services;
        wait(
            signals,
            &[watch.handle(), sensor.handle(), detector.handle()],
            FOREVER,
        )?
    };
    let [watch, sensor, detector] = services;
    match came {
        Came::Handle(0) if watch.stop()?.success() => Ok(()),
        Came::Handle(0) => Err(watch.ended()),
        Came::Handle(1) => Err(sensor.ended()),
        Came::Handle(_) => Err(detector.ended()),
        Came::Interrupt | Came::Nothing => Ok(()),
    }
}
