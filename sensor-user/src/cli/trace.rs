//! `trace`: the credentials that a command and its descendants use.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use claviger_proto::v1::{Event, EventId, LossCount, Process};
use serde_json::json;
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use super::{
    canary, log,
    output::{NotCreated, NotWritten, counted},
    program::{ConfigFile, runtime},
    show::Earlier,
};
use crate::{
    agent::{
        Agent, AgentOptions, Control, ControlError, Delivered, Ids, Own, Request, Sink, ask, run_on_thread,
    },
    attribute::{boot_id, program_of},
    config::{Config, Network, Policy},
    decode::ProcessKey,
    kernel::{Kernel, LoadOptions},
};

/// Processes followed. Beyond it, descendants are counted as escaped.
const TREE_MAX: usize = 65_536;

/// How long an event waits for its attribution: nobody is to be warned at once, so it may wait for a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a running sensor may take to answer.
const ANNOUNCE_PATIENCE: Duration = Duration::from_secs(2);

/// A trace is not an enrolled sensor: its events carry this id.
const TRACE_SENSOR_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Runs a command and shows every credential that it and its descendants use. Needs no detector, and works beside a running service. What
/// other programs do on the command's behalf (a service manager, a container runtime) is not its descendant's doing; such uses are counted
/// at the end. What can lie anywhere on the host (`**/*.pem`) is searched for by the service only.
#[derive(Debug, clap::Args)]
pub(super) struct Trace {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON object a line, {"event":{…}}; the command's own output then goes to standard error
    #[arg(long)]
    json: bool,
    /// Write events to a file, and leave the command's output where it is
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the uses of all processes of this host while the command runs
    #[arg(long)]
    all: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Trace {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (config, policy) = Config::load_with_policy(self.config.config.as_deref())?;
        log::start(&config.log);
        runtime()?.block_on(self.trace(config, policy))
    }

    async fn trace(self, config: Config, policy: Policy) -> anyhow::Result<ExitCode> {
        announce(&config.runtime_dir).await;
        let kernel = Kernel::load(&LoadOptions {
            file_open_hooks: config.probes.file_open_hooks.clone(),
            compat_calls: config.probes.compat_calls,
            // What a command does with a credential is a part of what it is asked about.
            network: true,
            ring_bytes: config.probes.ring_bytes,
            max_labelled_files: config.catalogue.max_labelled_files,
            canary_command: canary::command(),
            ..LoadOptions::default()
        })?;
        let out: Box<dyn Write + Send> = match &self.output {
            Some(path) => {
                let file = File::create(path).map_err(|source| NotCreated {
                    path: path.clone(),
                    source,
                })?;
                // A file is no terminal: no colour codes.
                Box::new(anstream::StripStream::new(file))
            }
            None if self.json => Box::new(io::stdout()),
            None => Box::new(anstream::stderr()),
        };
        let tree = Arc::new(Mutex::new(Tree::default()));
        let sink = Show {
            out,
            json: self.json,
            all: self.all,
            tree: Arc::clone(&tree),
            boot_id: boot_id()?,
            sequence: 0,
            earlier: Earlier::default(),
            shown: 0,
            others: 0,
            not_written: None,
        };
        let host = config.effective_host_name();
        let mut agent = Agent::start(
            kernel,
            sink,
            AgentOptions {
                host,
                batch_max_events: config.batch.max_events,
                batch_max_delay: PATIENCE,
                eager: true,
                rescan_interval: config.catalogue.rescan_interval,
                search_interval: None,
                look_interval: None,
                extra_homes: config.catalogue.extra_homes.clone(),
                policy,
                all_tls: config.probes.network == Network::All,
                self_test: None,
                own: Own::default(),
                runtime_dir: None,
                watched_until: None,
                remembered: None,
                metrics: None,
                report_itself: false,
            },
        )
        .await?;
        let followed = Arc::clone(&tree);
        agent.on_fork(move |child, parent| {
            followed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fork(child, parent);
        });
        let (control, controlled) = mpsc::channel(4);
        let running = run_on_thread(agent, controlled, 0).context("starting the agent's thread")?;
        let status = self.command().await;
        let (flushed, done) = oneshot::channel();
        // A dead agent is told by what it returns.
        let _ended = control.send(Control::Flush(flushed)).await;
        let _ended = done.await;
        let _ended = control.send(Control::Stop).await;
        let (sink, accounts) = running.await.context("the agent's thread ended early")??;
        let status = status?;
        if let Some(error) = sink.not_written {
            let not_written = NotWritten {
                to: self.written_to(),
                source: error,
            };
            return Err(anyhow::Error::from(not_written).context("not all events were written"));
        }
        let tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
        let still: Vec<u32> = tree.still_running();
        let say = |text: String| {
            if !self.json {
                anstream::eprintln!("{text}");
            }
        };
        say(format!(
            "{} by the command and its descendants",
            counted(sink.shown, "use of a credential", "uses of credentials")
        ));
        if sink.others > 0 {
            say(format!(
                "{} by other processes of this host meanwhile (--all shows them)",
                counted(sink.others, "use", "uses")
            ));
        }
        if !still.is_empty() {
            anstream::eprintln!(
                "escaped: still running after the command ended, and no longer followed: pid {still:?}"
            );
        }
        if tree.not_followed > 0 {
            anstream::eprintln!(
                "escaped: {} too many to follow",
                counted(tree.not_followed, "descendant was", "descendants were")
            );
        }
        if !accounts.lost.is_empty() {
            anstream::eprintln!("lost: {:?}; what is shown is not all", accounts.lost);
        }
        Ok(ExitCode::from(exit_status(status)))
    }

    /// Where events go, for people.
    fn written_to(&self) -> String {
        match &self.output {
            Some(path) => path.display().to_string(),
            None if self.json => "standard output".to_owned(),
            None => "standard error".to_owned(),
        }
    }

    /// Runs the command. Ctrl-C reaches it from the terminal as it would without us; SIGTERM is passed on.
    async fn command(&self) -> anyhow::Result<ExitStatus> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (program, arguments) = self.command.split_first().context("no command")?;
        let mut command = Command::new(program);
        command.args(arguments);
        if self.json && self.output.is_none() {
            command.stdout(Stdio::from(rustix::io::dup(io::stderr())?));
        }
        let mut child = command.spawn().map_err(|source| NotStarted {
            program: program.display().to_string(),
            source,
        })?;
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {
                    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw) {
                        // It may just have ended.
                        let _ended = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                    }
                }
            }
        }
    }
}

/// Tells a running sensor, where there is one, that this process opens candidates to recognise them.
async fn announce(runtime_dir: &Path) {
    match ask(runtime_dir, Request::Announce, ANNOUNCE_PATIENCE).await {
        Ok(_) | Err(ControlError::Connect { .. }) => {}
        Err(error) => {
            tracing::warn!(%error, "the running sensor will report what this trace opens to recognise it");
        }
    }
}

/// As a shell has it: the status, or 128 and the signal.
fn exit_status(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// The command could not be started; a shell's statuses for that are 127 where it is not there and 126 otherwise.
#[derive(Debug, thiserror::Error)]
#[error("starting {program}")]
pub(super) struct NotStarted {
    program: String,
    #[source]
    source: io::Error,
}

impl NotStarted {
    /// The exit status.
    pub(super) fn status(&self) -> u8 {
        if self.source.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

/// The command's descendants: children of this process, and children of those.
#[derive(Default)]
struct Tree {
    members: HashSet<ProcessKey>,
    not_followed: u64,
}

impl Tree {
    fn fork(&mut self, child: ProcessKey, parent: ProcessKey) {
        if parent.pid != std::process::id() && !self.members.contains(&parent) {
            return;
        }
        if self.members.len() >= TREE_MAX {
            self.not_followed += 1;
            return;
        }
        self.members.insert(child);
    }

    fn holds(&self, process: &Process) -> bool {
        self.members.contains(&ProcessKey {
            pid: process.pid,
            start_ticks: process.start_time_ticks,
        })
    }

    fn still_running(&self) -> Vec<u32> {
        let mut running: Vec<u32> = self
            .members
            .iter()
            // One that has ended and was not waited for has its start still, but runs no program.
            .filter(|member| program_of(member.pid).is_some_and(|(process, _)| process == **member))
            .map(|member| member.pid)
            .collect();
        running.sort_unstable();
        running
    }
}

/// Shows events as they come.
struct Show {
    out: Box<dyn Write + Send>,
    json: bool,
    all: bool,
    tree: Arc<Mutex<Tree>>,
    boot_id: String,
    /// Of the last event, shown or not.
    sequence: u64,
    earlier: Earlier,
    shown: u64,
    others: u64,
    /// Why events could not be written; the first reason.
    not_written: Option<io::Error>,
}

impl Sink for Show {
    fn deliver(&mut self, events: Vec<Event>, _losses: Vec<LossCount>) -> Delivered {
        let first = self.next_id();
        let count = events.len() as u64;
        for mut event in events {
            let id = self.next_id();
            self.sequence += 1;
            if event.actor.is_some() {
                let actor = event.actor.as_ref().and_then(|actor| actor.process.as_ref());
                let ours = actor.is_some_and(|process| {
                    self.tree
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .holds(process)
                });
                if !ours && !self.all {
                    self.others += 1;
                    continue;
                }
            }
            self.shown += u64::from(event.actor.is_some());
            event.id = Some(id);
            let written = if self.json {
                serde_json::to_writer(&mut self.out, &json!({"event": event}))
                    .map_err(io::Error::from)
                    .and_then(|()| self.out.write_all(b"\n"))
            } else {
                writeln!(self.out, "{}", self.earlier.event(&event))
            };
            match written.and_then(|()| self.out.flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    self.not_written.get_or_insert(error);
                }
                // A reader that has had enough is no error.
                _ => {}
            }
        }
        Delivered {
            ids: Ids::starting(first, count),
            ..Delivered::default()
        }
    }
}

impl Show {
    fn next_id(&self) -> EventId {
        EventId {
            sensor_id: TRACE_SENSOR_ID.into(),
            boot_id: self.boot_id.clone(),
            sequence: self.sequence + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pid: u32) -> ProcessKey {
        ProcessKey {
            pid,
            start_ticks: u64::MAX,
        }
    }

    #[test]
    fn a_daemon_stays_in_the_tree() {
        let mut tree = Tree::default();
        tree.fork(
            key(2),
            ProcessKey {
                pid: std::process::id(),
                start_ticks: 0,
            },
        );
        tree.fork(key(3), key(2));
        tree.fork(key(4), key(3));
        tree.fork(key(9), key(8));
        let process = |pid| Process {
            pid,
            start_time_ticks: u64::MAX,
            ..Process::default()
        };
        assert!(tree.holds(&process(4)));
        assert!(!tree.holds(&process(9)));
    }

    #[test]
    fn statuses_are_those_of_a_shell() {
        assert_eq!(exit_status(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_status(ExitStatus::from_raw(9)), 137);
    }
}
