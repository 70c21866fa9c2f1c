//! A detector and a sensor connected to it, with state of their own, as they run in service.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::child::{self, Running, output};
use crate::decoys::Decoys;
use crate::hook::Hook;
use crate::interrupt::Interrupt;

/// How long a service may take to be ready: emulated machines are slow, and 10,000 files have to be looked at.
const PATIENCE: Duration = Duration::from_secs(900);
/// What waits for the detector, which here has to share the CPUs with what it is told of.
const SPOOL_BYTES: i64 = 2 << 30;
const STEP: Duration = Duration::from_millis(50);

/// A detector that runs, and a sensor enrolled with it that can be started.
#[derive(Debug)]
pub(crate) struct Stand {
    directory: PathBuf,
    address: String,
    homes: Vec<String>,
    labelled: usize,
    detector: Running,
    network: Network,
}

/// Which connections the sensor watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Off,
    Known,
}

/// A sensor at work.
#[derive(Debug)]
pub(crate) struct Sensor<'a> {
    stand: &'a Stand,
    running: Running,
}

impl Stand {
    /// Starts the detector and enrols the sensor, which is to label the decoys.
    pub(crate) fn start(decoys: &Decoys, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let directory = decoys.directory().join("stand");
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let data = directory.join("detector");
        let mut serve = child::command(program("claviger-detector"));
        serve
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data);
        let detector = started("claviger-detector", serve, &directory, interrupt)?;
        let listening = data.join("listening");
        let address = fs::read_to_string(&listening)
            .with_context(|| format!("reading {}", listening.display()))?
            .trim()
            .to_owned();
        let homes = decoys.homes().iter().map(|home| home.display().to_string());
        let stand = Self {
            address,
            homes: homes.collect(),
            labelled: decoys.credentials().len(),
            directory,
            detector,
            network: Network::Off,
        };
        stand.enrol(&data)?;
        Ok(stand)
    }

    /// Has the sensor watch connections, once it is started.
    pub(crate) fn watching(self, network: Network) -> Self {
        Self { network, ..self }
    }

    pub(crate) fn detector_pid(&self) -> u32 {
        self.detector.pid()
    }

    fn config(&self) -> PathBuf {
        self.directory.join("sensor.toml")
    }

    fn configure(&self, hook: Hook) -> anyhow::Result<()> {
        let path = |name: &str| toml::Value::from(self.directory.join(name).display().to_string());
        let table = |entries: Vec<(&str, toml::Value)>| {
            let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
            toml::Table::from_iter(entries)
        };
        let config = table(vec![
            ("state_dir", path("state")),
            ("runtime_dir", path("run")),
            (
                "detector",
                table(vec![("address", self.address.clone().into())]).into(),
            ),
            ("spool", table(vec![("max_bytes", SPOOL_BYTES.into())]).into()),
            (
                "catalogue",
                table(vec![("extra_homes", self.homes.clone().into())]).into(),
            ),
            (
                "probes",
                table(vec![
                    ("file_open_hooks", vec![hook.name()].into()),
                    (
                        "network",
                        match self.network {
                            Network::Off => "off",
                            Network::Known => "known",
                        }
                        .into(),
                    ),
                ])
                .into(),
            ),
        ]);
        fs::write(self.config(), config.to_string())
            .with_context(|| format!("writing {}", self.config().display()))
    }

    fn enrol(&self, data: &Path) -> anyhow::Result<()> {
        let mut new = Command::new(program("claviger-detector"));
        new.args(["token", "new", "--json", "--data-dir"]).arg(data);
        let token: Value = serde_json::from_str(&output(&mut new, "making a join token")?)
            .context("reading the join token")?;
        let token = token["token"].as_str().context("the detector printed no token")?;
        let mut enrol = Command::new(program("claviger-sensor"))
            .args([
                "enrol",
                "--detector",
                &self.address,
                "--token-file",
                "-",
                "--state-dir",
            ])
            .arg(self.directory.join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("starting claviger-sensor enrol")?;
        if let Some(mut input) = enrol.stdin.take() {
            input
                .write_all(token.as_bytes())
                .context("handing over the token")?;
        }
        let status = enrol.wait().context("waiting for claviger-sensor enrol")?;
        ensure!(status.success(), "claviger-sensor enrol: {status}");
        Ok(())
    }

    /// Starts the sensor with one hook and waits until it watches every decoy.
    pub(crate) fn sensor(&self, hook: Hook, interrupt: &Interrupt) -> anyhow::Result<Sensor<'_>> {
        self.configure(hook)?;
        let mut run = child::command(program("claviger-sensor"));
        run.args(["run", "--config"]).arg(self.config());
        let running = started("claviger-sensor", run, &self.directory, interrupt)?;
        let mut sensor = Sensor { stand: self, running };
        let end = Instant::now() + PATIENCE;
        loop {
            let labelled = sensor.status()?["labelled"]["files"].as_u64().unwrap_or_default();
            if labelled >= self.labelled as u64 {
                return Ok(sensor);
            }
            ensure!(
                Instant::now() < end,
                "the sensor labelled {labelled} of {} files",
                self.labelled
            );
            sensor.running.check()?;
            interrupt.sleep(STEP)?;
        }
    }
}

impl Sensor<'_> {
    /// What it says of itself.
    pub(crate) fn status(&self) -> anyhow::Result<Value> {
        let text = self.ask("status")?;
        serde_json::from_str(&text).context("reading the sensor's status")
    }

    /// Has it keep everything that happened.
    pub(crate) fn flush(&self) -> anyhow::Result<()> {
        self.ask("flush").map(drop)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.running.check()
    }

    fn ask(&self, verb: &str) -> anyhow::Result<String> {
        let mut ask = Command::new(program("claviger-sensor"));
        ask.args([verb, "--json", "--config"]).arg(self.stand.config());
        output(&mut ask, &format!("claviger-sensor {verb}"))
    }
}

/// Starts a service that says as systemd wants it when it is ready, and waits until it does.
fn started(
    name: &str,
    mut command: Command,
    directory: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<Running> {
    let path = directory.join(format!("{name}.notify"));
    // Left from the start before.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", path.display()));
        }
        _ => {}
    }
    let socket = UnixDatagram::bind(&path).with_context(|| format!("binding {}", path.display()))?;
    socket
        .set_read_timeout(Some(STEP))
        .context("bounding the wait for a service")?;
    let log = directory.join(format!("{name}.log"));
    let file = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .with_context(|| format!("opening {}", log.display()))?;
    command
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(file);
    let mut running = Running::start(name, &mut command)?;
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0; 4096];
    loop {
        interrupt.check()?;
        let said = socket.recv(&mut buffer).map_or(0, |length| length);
        if String::from_utf8_lossy(&buffer[..said])
            .lines()
            .any(|line| line == "READY=1")
        {
            drain(socket)?;
            return Ok(running);
        }
        let log = || fs::read_to_string(&log).unwrap_or_default();
        if let Err(error) = running.check() {
            bail!("{error:#}; it said:\n{}", log());
        }
        ensure!(Instant::now() < end, "{name} is not ready; it said:\n{}", log());
    }
}

/// Goes on reading what the service says, to nobody: were the socket full, it would wait.
fn drain(socket: UnixDatagram) -> anyhow::Result<()> {
    socket
        .set_read_timeout(None)
        .context("reading what a service says")?;
    thread::Builder::new()
        .name("notify".to_owned())
        .spawn(move || while socket.recv(&mut [0; 4096]).is_ok() {})
        .context("starting a thread")
        .map(drop)
}

/// Named by the environment, else beside this program.
fn program(name: &str) -> PathBuf {
    let variable = match name {
        "claviger-sensor" => "CLAVIGER_SENSOR_BIN",
        _ => "CLAVIGER_DETECTOR_BIN",
    };
    env::var_os(variable).map_or_else(
        || {
            env::current_exe()
                .ok()
                .and_then(|this| Some(this.parent()?.join(name)))
                .unwrap_or_else(|| name.into())
        },
        PathBuf::from,
    )
}
