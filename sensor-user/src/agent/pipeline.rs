//! The loop: records in, events out.

mod agent_sockets;
mod answers;
mod changes;
mod condition;
mod copies;
mod core_dumps;
mod flushing;
mod following;
mod held;
mod keeping;
mod keys;
mod listings;
mod moves;
mod network;
mod own_changed;
mod recognising;
mod reconciling;
mod refused;
mod repeating;
mod same_open;
mod secrets;
mod starting;
mod starts;
mod tampering;
mod telling;
mod uses;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use claviger_proto::v1::{
    Amendment, Event, EventId, EventKind, Gap, LossCount, MatchBasis, Observation, Outcome,
};
use claviger_sensor_common::{PACKETS_WAKE_EVERY_NS, Probe, WAKE_EVERY_NS};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{
    Accounts, AgentError, AgentOptions, Control, Delivered, EvidenceReport, EvidenceStatus, ScanCounts,
    SelfUsage, Sink,
    accounts::growth,
    balance::{Balance, Taken},
    boot_clock::{BootClock, timestamp},
    chains::Chains,
    condition::{Condition, PolicyReport},
    control::{Answer, Asked, CpuReport, Flushed, ProbeReport, Request, Status, close, listen},
    events::{BLIND, Facts, NOT_LABELLED, NOT_WATCHING, UNBALANCED, at, gap, losses_of, sensor_status},
    keeper::Keeper,
    knowledge::Knowledge,
    labels::Meaning,
    looks::Looks,
    map_fill::MapFill,
    messages::{Answer as Found, Question},
    peers::Peers,
    pending::{Pending, Settled},
    placing::{Placed, Placing},
    reasons::{Dropped, LostHere, NotTold},
    repeats::Repeats,
    self_test::SelfTest,
    told::{ToldActors, ToldHooks},
    worker::{Setup, Worker},
};
use crate::{
    attribute::{Cgroups, ProcessTable, Users},
    config::Policy,
    decode::{ProcessKey, Record, decode},
    kernel::{Attached, Endpoints, Kernel, Mark, OwnBpf, ProbeAccounts, ProbeState, Records, SecretNames},
};

use keeping::Keeping;

pub use flushing::Kept;
pub(super) use following::FOLLOWING_MAX;
pub(super) use held::{BY_PATH_MAX, WAITING_MAX as JUST_FOUND_MAX};

/// Records taken at once before anything else gets its turn.
const DRAIN_MAX: usize = 512;

/// When the ring is looked at again after something was in it: the kernel half does not wake for all that comes within half of this time.
const LOOK_AGAIN: Duration = Duration::from_nanos(2 * WAKE_EVERY_NS);

/// The same after there were packets in it.
const LOOK_FOR_PACKETS: Duration = Duration::from_nanos(2 * PACKETS_WAKE_EVERY_NS);

/// How often accounts are compared and the stamp may be renewed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How often the sensor reports about itself.
const STATUS_INTERVAL: Duration = Duration::from_secs(60);

/// How often the stamp of [`super::WatchedUntil`] is renewed.
const STAMP_INTERVAL: Duration = Duration::from_secs(10);

/// The agent.
pub struct Agent<S> {
    kernel: Watched,
    facts: Facts,
    told_hooks: ToldHooks,
    worker: Worker,
    knowledge: Knowledge,
    keeper: Keeper<S>,
    /// What is being kept.
    keeping: Keeping,
    pending: Pending,
    accounts: Accounts,
    told: Vec<LossCount>,
    told_at: SystemTime,
    /// What was taken from the ring.
    taken: Taken,
    balance: Balance,
    /// When all accounts held last.
    balanced_at: SystemTime,
    publishing: Option<reconciling::Publishing>,
    scanned: ScanCounts,
    condition: Condition,
    next_token: u64,
    last_id: Option<EventId>,
    flushing: Vec<oneshot::Sender<Kept>>,
    /// Those who asked last wait until this far was read.
    flush_behind: Option<Mark>,
    /// Those who asked last to be told when all is delivered wait until then for what the next scan is to tell.
    flush_by: Instant,
    options: AgentOptions,
    started: Instant,
    cpu_before_us: u64,
    asked: Option<mpsc::Receiver<Asked>>,
    peers: Peers,
    repeats: Repeats,
    repeat_turns: repeating::Turns,
    writers: copies::Writers,
    arrivals: Vec<moves::Arrival>,
    by_path: held::ByPath,
    reached_by_path: secrets::ReachedByPath,
    followed: following::Followed,
    just_found: held::JustFound,
    network: network::Network,
    answerers: agent_sockets::Answerers,
    chains: Chains,
    looks: Option<Looks>,
    placing: Placing,
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
    repeats: crate::kernel::Repeats,
    secret_names: SecretNames,
    endpoints: Endpoints,
    own: OwnBpf,
    probes: Vec<ProbeState>,
    release: String,
    _attached: Attached,
}

impl<S: Sink> Agent<S> {
    /// Calls `on_fork(child, parent)` for every process created from now on.
    pub fn on_fork(&mut self, on_fork: impl FnMut(ProcessKey, ProcessKey) + Send + 'static) {
        self.on_fork = Box::new(on_fork);
    }

    /// How many credentials are labelled.
    #[must_use]
    pub fn scanned(&self) -> &ScanCounts {
        &self.scanned
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
        self.keeper.start().map_err(|source| AgentError::Io {
            step: "starting the thread that keeps what is told",
            source,
        })?;
        if self.options.report_itself {
            self.tell_not_watched();
            self.tell_status("started");
        }
        self.condition.not_labelled = self.scanned.not_labelled;
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_status = Instant::now() + STATUS_INTERVAL;
        let mut next_stamp = Instant::now();
        let mut backlog = false;
        let mut look_again = None;
        let mut look_for_packets = None;
        loop {
            let due = self
                .pending
                .due(self.options.batch_max_delay)
                .map(|due| self.started + due);
            tokio::select! {
                biased;
                request = control.recv() => match request {
                    Some(Control::Policy(policy, done)) => self.take_policy(*policy, done),
                    Some(Control::PolicyRefused(reason)) => self.refuse_policy(&reason),
                    Some(Control::Flush(back)) => self.ask_to_flush(back),
                    Some(Control::Stop) | None => break,
                },
                Some(asked) = receive(&mut self.asked) => self.answer(asked),
                delivered = self.keeper.next(), if !self.keeper.is_idle() => {
                    let delivered = delivered.ok_or(AgentError::KeeperGone)?;
                    self.kept(&delivered);
                }
                found = self.worker.answers.recv() => self.found(found.ok_or(AgentError::WorkerGone)?),
                Some(placed) = self.placing.placed.recv() => self.placed(&placed),
                () = wait_until(self.condition.overlays_due) => self.look_for_overlays(),
                () = wait_until(due) => {}
                () = wait_until(look_again) => {}
                () = wait_until(look_for_packets) => look_for_packets = None,
                _ = housekeeping.tick() => {
                    self.tell_found(false);
                    self.tell_unanswered(false);
                    let kernel = self.kernel_accounts();
                    self.tell_losses(&kernel);
                    self.reconcile(&kernel);
                    self.look_after_self_test();
                    self.publish(&kernel);
                    if self.options.report_itself && Instant::now() >= next_status {
                        next_status = Instant::now() + STATUS_INTERVAL;
                        self.sweep_repeats(false);
                        self.tell_status("periodic");
                    }
                    self.tell_some_repeats();
                    self.tell_repeated_on_network(false);
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
            let packets_before = self.taken.packets;
            let taken = self.drain();
            backlog = taken == DRAIN_MAX;
            let packets = self.taken.packets - packets_before;
            if packets > 0 {
                look_for_packets = Some(Instant::now() + LOOK_FOR_PACKETS);
            }
            // Also where a record is only begun: it may end without a word.
            let more_may_come = taken as u64 > packets || self.kernel.records.bytes_in_use() > 0;
            look_again = more_may_come.then(|| Instant::now() + LOOK_AGAIN);
            self.tell_who_has_read_more();
            self.look_whether_all_is_read();
            let flushing = !self.flushing.is_empty() && !backlog && self.has_settled();
            self.deliver_ripe(if flushing || self.options.eager {
                Ripe::Answered
            } else {
                Ripe::Due
            });
            if flushing {
                self.flush();
            }
        }
        // Before the socket is taken away: while somebody takes what comes by it, it is made anew.
        self.asked = None;
        if let Some(runtime_dir) = &self.options.runtime_dir {
            close(runtime_dir);
        }
        self.read_all().await;
        self.tell_all();
        self.sweep_repeats(true);
        self.give_up_arrivals();
        self.give_up_following();
        self.give_up_answerers();
        self.give_up_servers();
        // Of these too.
        self.tell_repeated_on_network(true);
        self.tell_losses(&self.kernel_accounts());
        if self.options.report_itself {
            self.tell_status("stopping");
        }
        self.renew_stamp();
        self.deliver_ripe(Ripe::All);
        while !self.keeper.is_idle() {
            let delivered = self.keeper.next().await.ok_or(AgentError::KeeperGone)?;
            self.kept(&delivered);
            // What it is behind has waited for it.
            self.deliver_ripe(Ripe::All);
        }
        self.answer_flushes();
        self.worker.end().await;
        let sink = self.keeper.end().ok_or(AgentError::KeeperGone)?;
        Ok((sink, self.accounts))
    }

    /// Takes what is in the ring now, and tells what is only counted: repeats and losses.
    fn tell_all(&mut self) {
        while self.drain() == DRAIN_MAX {}
        self.tell_found(true);
        self.tell_unanswered(true);
        self.tell_repeated_on_network(true);
        self.tell_repeats();
        let kernel = self.kernel_accounts();
        self.tell_losses(&kernel);
    }

    /// Takes records from the ring, each when the one before is done with; each becomes an event, keeps the process table, or is counted.
    /// Bounded, so that a flood cannot keep the agent from everything else.
    fn drain(&mut self) -> usize {
        let mut taken = 0;
        while taken < DRAIN_MAX
            && let Some(record) = self.kernel.records.next(decode)
        {
            taken += 1;
            match record {
                Ok(Record::FileUse(file)) => self.file_used(*file),
                Ok(Record::Held(held)) => self.held(*held),
                Ok(Record::Attempt(attempt)) => self.attempted(attempt),
                Ok(Record::ProcessSecret(secret)) => self.reached(*secret),
                Ok(Record::CoreDump(dump)) => self.core_written(&dump),
                Ok(Record::ProgramSecret(program)) => self.started_with(&program),
                Ok(Record::KernelKey(key)) => self.key_used(*key),
                Ok(Record::AgentSocket(socket)) => self.connected_to_socket(&socket),
                Ok(Record::Connect(connect)) => self.connects(&connect),
                Ok(Record::Packet(packet)) => {
                    self.taken.packets += 1;
                    self.packet(&packet);
                }
                Ok(Record::Tamper(tamper)) => self.tampered(*tamper),
                Ok(Record::DirectoryList(list)) => self.listed(*list),
                Ok(Record::Written(written)) => self.written(&written),
                Ok(Record::Change(change)) => self.changed(&change),
                Ok(Record::Program(program)) => self.facts.processes.program(*program),
                Ok(Record::Exec(exec)) => {
                    // What was repeated was so by the program that ran until now.
                    self.tell_repeats_of(exec.task.process);
                    self.worker.started_in(exec.task.process, exec.root);
                    self.peers.forget(exec.task.process);
                    self.facts.processes.exec(&exec);
                    // While it is surely there: it may be replaced later, and the process gone.
                    self.facts.processes.look_up_places(&exec.task);
                }
                Ok(Record::Fork { child, parent }) => {
                    self.facts.processes.fork(child, parent);
                    (self.on_fork)(child, parent);
                }
                Ok(Record::Exit { process }) => {
                    self.ended(process);
                    self.writer_ended(process);
                    self.peers.forget(process);
                    self.facts.processes.exit(process);
                }
                Err(error) => {
                    self.accounts.received += 1;
                    self.accounts.lose(LostHere::Undecodable, 1);
                    tracing::error!(%error, "a record of the kernel half cannot be read and is lost");
                }
            }
        }
        self.taken.records += taken as u64;
        self.taken.met_empty |= taken < DRAIN_MAX;
        taken
    }

    /// Hands on what is ripe, a batch at a time.
    fn deliver_ripe(&mut self, ripe: Ripe) {
        let delay = if ripe == Ripe::All {
            Duration::ZERO
        } else {
            self.options.batch_max_delay
        };
        let limit = self.options.batch_max_events;
        loop {
            let now = self.started.elapsed();
            let due = self.pending.due(delay).is_some_and(|due| due <= now) || self.pending.len() >= limit;
            if ripe == Ripe::Due && !due {
                return;
            }
            let taken = self.pending.take(now, delay, limit);
            if taken.events.is_empty() {
                return;
            }
            self.deliver(taken);
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
