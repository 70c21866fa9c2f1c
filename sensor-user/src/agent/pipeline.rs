//! The loop: records in, events out.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use claviger_proto::v1::{Amendment, Event, EventId, EventKind, Gap, LossCount, MatchBasis, Observation, Outcome};
use claviger_sensor_common::Probe;
use tokio::{
    sync::{mpsc, oneshot},
    task::block_in_place,
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{
    Accounts, ScanCounts, SelfUsage, Sink, WatchedUntil,
    accounts::growth,
    boot_clock::timestamp,
    control::{Answer, Asked, Flushed, ProbeReport, Request, Status, listen},
    events::{Facts, Used, gap, losses_of, operation, sensor_status},
    labels::Meaning,
    pending::{Pending, Settled},
    worker::{Answer as Found, Knowledge, Question, Worker},
};
use crate::{
    attribute::{Cgroups, ProcessTable, Users},
    decode::{Denied, Match, Open, ProcessKey, Record, decode},
    kernel::{Attached, Kernel, KernelError, ProbeAccounts, ProbeState, Records},
};

/// Records taken at once before anything else gets its turn.
const DRAIN_MAX: usize = 512;

/// How often accounts are compared and the stamp may be renewed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How often the sensor reports about itself.
const STATUS_INTERVAL: Duration = Duration::from_secs(60);

/// How often the stamp of [`WatchedUntil`] is renewed.
const STAMP_INTERVAL: Duration = Duration::from_secs(10);

/// What an agent needs to know.
pub struct AgentOptions {
    /// This host's name.
    pub host: String,
    /// Most events in a batch.
    pub batch_max_events: usize,
    /// How long an event waits for its attribution.
    pub batch_max_delay: Duration,
    /// Whether an event is handed on as soon as it is attributed, rather than in batches: a trace does.
    pub eager: bool,
    /// How often the places of credentials are looked through.
    pub rescan_interval: Duration,
    /// Directories that are homes although no user has them.
    pub extra_homes: Vec<PathBuf>,
    /// Where the control socket is made; nothing for an agent that has none.
    pub runtime_dir: Option<PathBuf>,
    /// Until when this host was watched before; nothing for an agent that does not keep it.
    pub watched_until: Option<WatchedUntil>,
    /// Whether to report about itself and about the time before: a sensor does, a trace does not.
    pub report_itself: bool,
}

/// Why the agent cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The kernel half.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A step failed in the system.
    #[error("{step}")]
    Io {
        /// What was done.
        step: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The worker thread is gone.
    #[error("the thread that labels files has ended")]
    WorkerGone,
}

/// What can be asked of a running agent from within its process.
pub enum Control {
    /// Deliver everything that happened until now, then answer with the last event's id.
    Flush(oneshot::Sender<Option<EventId>>),
    /// Deliver everything and end.
    Stop,
}

/// The agent.
pub struct Agent<S> {
    kernel: Watched,
    facts: Facts,
    worker: Worker,
    knowledge: Knowledge,
    sink: S,
    pending: Pending,
    accounts: Accounts,
    told: Vec<LossCount>,
    told_at: SystemTime,
    scanned: ScanCounts,
    next_token: u64,
    last_id: Option<EventId>,
    flushing: Vec<oneshot::Sender<Option<EventId>>>,
    options: AgentOptions,
    started: Instant,
    cpu_before_us: u64,
    asked: Option<mpsc::Receiver<Asked>>,
    on_fork: Box<dyn FnMut(ProcessKey, ProcessKey) + Send>,
}

/// Which of the waiting events go out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ripe {
    /// All that are answered, once the oldest has waited long enough.
    Due,
    /// All that are answered, now.
    Answered,
    /// All.
    All,
}

/// What stays of the kernel half once the labeller is with the worker.
struct Watched {
    records: Records,
    accounts: crate::kernel::Accounts,
    probes: Vec<ProbeState>,
    release: String,
    _attached: Attached,
}

impl<S: Sink> Agent<S> {
    /// Puts an agent together: seeds the process table and labels what the catalogue names. When it returns, the host is watched.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn start(kernel: Kernel, sink: S, options: AgentOptions) -> Result<Self, AgentError> {
        let Kernel { records, labeller, accounts, probes, attached, .. } = kernel;
        let io = |step| move |source| AgentError::Io { step, source };
        let asked = match &options.runtime_dir {
            Some(runtime_dir) => Some(listen(runtime_dir).map_err(io("making the control socket"))?),
            None => None,
        };
        let mut worker = Worker::start(labeller, options.rescan_interval, options.extra_homes.clone())
            .map_err(io("starting the thread that labels files"))?;
        let mut processes = ProcessTable::default();
        processes.seed();
        let Some(Found::Scanned(scanned)) = worker.answers.recv().await else { return Err(AgentError::WorkerGone) };
        let cgroups = Cgroups::find();
        if cgroups.root().is_none() {
            tracing::warn!("cgroup v2 is not mounted: units, sessions and containers cannot be told apart");
        }
        let facts = Facts { host: options.host.clone(), processes, cgroups, users: Users::at("/etc/passwd") };
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        Ok(Self {
            kernel: Watched { records, accounts, probes, release, _attached: attached },
            facts,
            knowledge: worker.knowledge.clone(),
            worker,
            sink,
            pending: Pending::default(),
            accounts: Accounts::default(),
            told: Vec::new(),
            told_at: SystemTime::now(),
            scanned,
            next_token: 0,
            last_id: None,
            flushing: Vec::new(),
            options,
            started: Instant::now(),
            cpu_before_us: SelfUsage::read().cpu_time_us,
            asked,
            on_fork: Box::new(|_, _| {}),
        })
    }

    /// Calls `on_fork(child, parent)` for every process created from now on.
    pub fn on_fork(&mut self, on_fork: impl FnMut(ProcessKey, ProcessKey) + Send + 'static) {
        self.on_fork = Box::new(on_fork);
    }

    /// How many credentials are labelled.
    #[must_use]
    pub fn scanned(&self) -> ScanCounts {
        self.scanned
    }

    /// How each probe came out.
    #[must_use]
    pub fn probes(&self) -> &[ProbeState] {
        &self.kernel.probes
    }

    /// Runs until it is told to stop, or everybody who could tell it is gone; returns the sink with everything delivered.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn run(mut self, mut control: mpsc::Receiver<Control>) -> Result<(S, Accounts), AgentError> {
        if self.options.report_itself {
            self.tell_not_watched();
            self.tell_status("started");
        }
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_status = Instant::now() + STATUS_INTERVAL;
        let mut next_stamp = Instant::now();
        let mut backlog = false;
        loop {
            let due = self.pending.due(self.options.batch_max_delay).map(|due| self.started + due);
            tokio::select! {
                biased;
                request = control.recv() => match request {
                    Some(Control::Flush(back)) => self.flushing.push(back),
                    Some(Control::Stop) | None => break,
                },
                Some((request, back)) = receive(&mut self.asked) => self.answer(request, back),
                found = self.worker.answers.recv() => self.found(found.ok_or(AgentError::WorkerGone)?),
                () = wait_until(due) => {}
                _ = housekeeping.tick() => {
                    self.tell_losses();
                    if self.options.report_itself && Instant::now() >= next_status {
                        next_status = Instant::now() + STATUS_INTERVAL;
                        self.tell_status("periodic");
                    }
                    if Instant::now() >= next_stamp {
                        next_stamp = Instant::now() + STAMP_INTERVAL;
                        self.renew_stamp();
                    }
                }
                () = std::future::ready(()), if backlog => {}
                ready = self.kernel.records.ready() => {
                    ready.map_err(|source| AgentError::Io { step: "waiting for records", source })?;
                }
            }
            backlog = self.drain() == DRAIN_MAX;
            let flushing = !self.flushing.is_empty() && !backlog;
            self.deliver_ripe(if flushing || self.options.eager { Ripe::Answered } else { Ripe::Due });
            if flushing {
                self.flush();
            }
        }
        while self.drain() == DRAIN_MAX {}
        self.tell_losses();
        if self.options.report_itself {
            self.tell_status("stopping");
        }
        self.renew_stamp();
        self.deliver_ripe(Ripe::All);
        for back in self.flushing.drain(..) {
            // Who asked may be gone.
            let _gone = back.send(self.last_id.clone());
        }
        Ok((self.sink, self.accounts))
    }

    /// Takes records from the ring; each becomes an event, keeps the process table, or is counted.
    fn drain(&mut self) -> usize {
        let mut records = Vec::new();
        let taken = self.kernel.records.drain(DRAIN_MAX, |bytes| records.push(decode(bytes)));
        for record in records {
            match record {
                Ok(Record::Open(open)) => self.opened(&open),
                Ok(Record::Denied(denied)) => self.denied(&denied),
                Ok(Record::Exec(exec)) => self.facts.processes.exec(&exec),
                Ok(Record::Fork { child, parent }) => {
                    self.facts.processes.fork(child, parent);
                    (self.on_fork)(child, parent);
                }
                Ok(Record::Exit { process }) => self.facts.processes.exit(process),
                Err(error) => {
                    self.accounts.received += 1;
                    self.accounts.lose("undecodable", 1);
                    tracing::error!(%error, "a record of the kernel half cannot be read and is lost");
                }
            }
        }
        taken
    }

    fn opened(&mut self, open: &Open) {
        self.accounts.received += 1;
        let meaning = match open.matched {
            Match::Object(id) | Match::Name(id) | Match::DirectoryPattern(id) => {
                self.knowledge.labels.lock().unwrap_or_else(PoisonError::into_inner).meaning(id).cloned()
            }
        };
        let Some(meaning) = meaning else {
            self.accounts.lose("unknown_label", 1);
            return;
        };
        let (entry, found_at, matched_by) = match (open.matched, meaning) {
            (Match::Object(_), Meaning::Credential { entry, path }) => (entry, Some(path), MatchBasis::Object),
            // Names are found by a hash; the name itself decides.
            (Match::Name(_), Meaning::Credential { entry, path })
                if path.file_name().is_some_and(|name| name.as_encoded_bytes() == open.path.name()) =>
            {
                (entry, Some(path), MatchBasis::DirectoryEntry)
            }
            (Match::DirectoryPattern(_), Meaning::Directory { path }) => {
                let places = Arc::clone(&self.knowledge.places.read().unwrap_or_else(PoisonError::into_inner));
                let mut name = path.as_os_str().as_encoded_bytes().to_vec();
                name.push(b'/');
                name.extend_from_slice(open.path.name());
                match places.match_path(&name) {
                    Some(entry) => (entry, None, MatchBasis::DirectoryEntry),
                    None => return self.accounts.drop_record("not_in_catalogue"),
                }
            }
            _ => return self.accounts.drop_record("not_in_catalogue"),
        };
        if !entry.watches(operation(open.access)) {
            return self.accounts.drop_record("operation_not_watched");
        }
        let used = Used {
            entry,
            path: &open.path,
            device: open.object.device,
            inode: open.object.key.inode,
            generation: open.object.key.generation,
            access: open.access,
            matched_by,
        };
        // An LSM behind ours may still refuse, but the kernel had no objection until here.
        let observation = self.observation(Probe::FileOpen);
        let event =
            self.facts.credential_access(open.time_boot_ns, &open.task, &used, (Outcome::Succeeded, 0), observation);
        let token = self.ask(open, entry.kind(), found_at);
        self.push(event, token);
    }

    /// Asks the worker for the identities.
    fn ask(&mut self, open: &Open, kind: &'static str, found_at: Option<PathBuf>) -> Result<u64, &'static str> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut paths = Vec::new();
        if !open.path.truncated {
            let path = PathBuf::from(std::ffi::OsString::from_vec(open.path.bytes.clone()));
            paths.push((PathBuf::from(format!("/proc/{}/root", open.task.process.pid)), path.clone()));
            paths.push((PathBuf::from("/"), path));
        }
        paths.extend(found_at.map(|path| (PathBuf::from("/"), path)));
        let token = self.next_token;
        self.next_token += 1;
        if self.worker.ask(Question { token, object: open.object.key, kind, paths }) {
            Ok(token)
        } else {
            Err("too many uses at once to look at each")
        }
    }

    fn denied(&mut self, denied: &Denied) {
        self.accounts.received += 1;
        let places = Arc::clone(&self.knowledge.places.read().unwrap_or_else(PoisonError::into_inner));
        let Some(entry) = places.match_path(&denied.path.bytes) else {
            return self.accounts.drop_record("not_in_catalogue");
        };
        if !entry.watches(operation(denied.access)) {
            return self.accounts.drop_record("operation_not_watched");
        }
        let used = Used {
            entry,
            path: &denied.path,
            device: 0,
            inode: 0,
            generation: 0,
            access: denied.access,
            matched_by: MatchBasis::PathAsGiven,
        };
        let observation = self.observation(Probe::FileOpenDenied);
        let outcome = (Outcome::Denied, denied.errno);
        let event = self.facts.credential_access(denied.time_boot_ns, &denied.task, &used, outcome, observation);
        self.push(event, Err("the attempt was refused: nothing was read"));
    }

    fn push(&mut self, mut event: Event, token: Result<u64, &'static str>) {
        let reason = match token {
            Ok(_) => "it was not read within the time that an event waits",
            Err(reason) => reason,
        };
        if let Some(credential) = &mut event.credential {
            credential.unknown_reason = reason.to_owned();
        }
        self.pending.push(event, token.ok(), self.started.elapsed());
    }

    fn observation(&self, probe: Probe) -> Observation {
        let hook = self.kernel.probes.iter().find(|state| state.probe == probe).and_then(|state| state.hook.clone());
        Observation { probe: probe.word().to_owned(), hook: hook.unwrap_or_default() }
    }

    fn found(&mut self, found: Found) {
        match found {
            Found::Scanned(counts) => self.scanned = counts,
            Found::Identified { token, parsed } => {
                match self.pending.settle(token, &parsed.identities, parsed.unknown_reason) {
                    Settled::Late(amends) if !parsed.identities.is_empty() => {
                        let mut event = gap(Gap::default());
                        event.kind = EventKind::Amendment.into();
                        event.gap = None;
                        event.amendment =
                            Some(Amendment { amends: Some(amends), workload: None, identities: parsed.identities });
                        self.pending.push(event, None, self.started.elapsed());
                    }
                    Settled::InTime | Settled::Late(_) | Settled::Unknown => {}
                }
            }
        }
    }

    /// Hands on what is ripe, a batch at a time.
    fn deliver_ripe(&mut self, ripe: Ripe) {
        let delay = if ripe == Ripe::All { Duration::ZERO } else { self.options.batch_max_delay };
        let limit = self.options.batch_max_events;
        loop {
            let now = self.started.elapsed();
            let due = self.pending.due(delay).is_some_and(|due| due <= now) || self.pending.len() >= limit;
            if ripe == Ripe::Due && !due {
                return;
            }
            let (events, tokens) = self.pending.take(now, delay, limit);
            if events.is_empty() {
                return;
            }
            self.deliver(events, &tokens);
        }
    }

    fn deliver(&mut self, events: Vec<Event>, tokens: &[(usize, u64)]) {
        let uses = events.iter().filter(|event| event.kind == i32::from(EventKind::CredentialAccess)).count() as u64;
        let mut losses = self.losses();
        losses.extend(self.accounts.losses_behind());
        let delivered = block_in_place(|| self.sink.deliver(events, losses));
        self.accounts.delivered += uses;
        self.last_id = delivered.ids.last().cloned().or(self.last_id.take());
        for (place, token) in tokens {
            if let Some(id) = delivered.ids.get(*place)
                && !self.pending.await_late(*token, id.clone())
            {
                self.accounts.forgotten_answers += 1;
            }
        }
        for loss in &delivered.lost {
            self.accounts.lose_behind(&loss.reason, loss.count);
        }
    }

    /// All losses since the start: the kernel half's and the agent's.
    fn losses(&self) -> Vec<LossCount> {
        let mut losses = Vec::new();
        for (probe, accounts) in self.kernel_accounts() {
            losses.extend(losses_of(probe, &accounts));
        }
        losses.extend(self.accounts.losses());
        losses
    }

    fn kernel_accounts(&self) -> BTreeMap<Probe, ProbeAccounts> {
        self.kernel.accounts.read().unwrap_or_else(|error| {
            tracing::error!(error = %chain(&error), "the kernel half's accounts cannot be read");
            BTreeMap::new()
        })
    }

    /// Tells what was lost since it was told last.
    fn tell_losses(&mut self) {
        let now = SystemTime::now();
        let losses = self.losses();
        let new = growth(&self.told, &losses);
        if let Some(first) = new.first() {
            let reason = first.reason.clone();
            tracing::error!(count = new.iter().map(|loss| loss.count).sum::<u64>(), %reason, "observations were lost");
            let event = gap(Gap {
                losses: new,
                from: Some(timestamp(self.told_at)),
                to: Some(timestamp(now)),
                reason,
                ..Gap::default()
            });
            self.pending.push(event, None, self.started.elapsed());
            self.told = losses;
        }
        self.told_at = now;
    }

    /// Tells the time before this start in which nobody watched.
    fn tell_not_watched(&mut self) {
        let Some(until) = self.options.watched_until.as_ref().and_then(WatchedUntil::read) else { return };
        let event = gap(Gap {
            from: Some(timestamp(until)),
            to: Some(timestamp(SystemTime::now())),
            reason: "not_watching".into(),
            ..Gap::default()
        });
        self.pending.push(event, None, self.started.elapsed());
    }

    fn tell_status(&mut self, reason: &str) {
        let accounts = self.kernel_accounts();
        let of = |probe| accounts.get(&probe).cloned().unwrap_or_default();
        let event = sensor_status(reason, &self.kernel.release, &self.kernel.probes, of);
        self.pending.push(event, None, self.started.elapsed());
    }

    fn renew_stamp(&self) {
        if let Some(stamp) = &self.options.watched_until
            && let Err(error) = stamp.renew()
        {
            tracing::warn!(%error, "the time until which this host was watched cannot be kept; a gap told after a restart begins too early");
        }
    }

    /// Answers who waits for a flush, once nothing waits any more.
    fn flush(&mut self) {
        if !self.pending.is_empty() {
            return;
        }
        for back in self.flushing.drain(..) {
            // Who asked may be gone.
            let _gone = back.send(self.last_id.clone());
        }
    }

    fn answer(&mut self, request: Request, back: oneshot::Sender<Answer>) {
        match request {
            Request::Status => {
                // Who asked may be gone.
                let _gone = back.send(Answer::Status(Box::new(self.status())));
            }
            Request::Flush => {
                let (flushed, done) = oneshot::channel();
                self.flushing.push(flushed);
                tokio::spawn(async move {
                    let answer = match done.await {
                        Ok(Some(id)) => Answer::Flushed(Flushed {
                            sensor_id: id.sensor_id,
                            boot_id: id.boot_id,
                            sequence: id.sequence,
                        }),
                        Ok(None) => Answer::Error("nothing was observed yet".into()),
                        Err(_) => Answer::Error("the sensor is stopping".into()),
                    };
                    let _gone = back.send(answer);
                });
            }
        }
    }

    fn status(&self) -> Status {
        let accounts = self.kernel_accounts();
        let usage = SelfUsage::read();
        let uptime = self.started.elapsed();
        let cpu = Duration::from_micros(usage.cpu_time_us.saturating_sub(self.cpu_before_us));
        let probes = self.kernel.probes.iter().map(|state| {
            let accounts = accounts.get(&state.probe).cloned().unwrap_or_default();
            ProbeReport {
                probe: state.probe.word().to_owned(),
                hook: state.hook.clone(),
                refused: state.refused.iter().map(ToString::to_string).collect(),
                cannot_see: state.cannot_see.clone(),
                seen: accounts.seen,
                submitted: accounts.submitted,
                lost: accounts.lost.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
            }
        });
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: uptime.as_secs_f64(),
            usage,
            cpu_share: cpu.as_secs_f64() / uptime.as_secs_f64().max(f64::MIN_POSITIVE),
            probes: probes.collect(),
            accounts: Accounts { waiting: self.pending.uses(), ..self.accounts.clone() },
            labelled: self.scanned,
            processes: self.facts.processes.len(),
            evidence: self.sink.describe(),
        }
    }
}

async fn receive(asked: &mut Option<mpsc::Receiver<Asked>>) -> Option<Asked> {
    match asked {
        Some(asked) => asked.recv().await,
        None => std::future::pending().await,
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
