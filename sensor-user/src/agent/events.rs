//! From a record and the facts to an event.

use claviger_proto::{
    Shared,
    catalogue::Entry,
    program_path,
    v1::{
        Actor, Credential, Event, EventKind, Gap, LossCount, MatchBasis, Namespaces, Observation, Operation,
        Outcome, ProbeStatus, Process, SensorStatus, Workload,
    },
};
use claviger_sensor_common::Probe;

use super::{
    boot_clock::{BootClock, timestamp},
    reasons::LostHere,
    self_usage::SelfUsage,
    told::{ToldActors, Who},
};
use crate::{
    attribute::{
        CgroupRole, Cgroups, Place, ProcessFacts, ProcessTable, Sought, Users, WorkloadContext, cgroup_of,
        classify, workload,
    },
    decode::{Access, FilePath, ProcessKey, ProgramRun, Task},
    kernel::{ProbeAccounts, ProbeState, kernel_losses},
    spool::LossReason,
};

const ENDED: &str = "it ended before it was looked at";
const NOT_SEEN: &str = "the start of its program was not seen";
const NO_LAYERS: &str =
    "whether its executable is that of its image is not known: the layers of its overlay are not";

/// Host facts that events are built from.
pub(super) struct Facts {
    pub host: String,
    pub processes: ProcessTable,
    pub cgroups: Cgroups,
    pub users: Users,
    pub told: ToldActors,
    /// What the last actor runs and could not be looked up without waiting.
    pub to_place: Vec<Sought>,
}

/// What was used.
pub(super) struct Used<'a> {
    pub entry: &'a Entry,
    pub path: &'a FilePath,
    pub device: u64,
    pub inode: u64,
    pub generation: u32,
    pub operation: Operation,
    pub matched_by: MatchBasis,
}

/// The operation of the contract, of an open.
pub(super) fn operation(access: Access) -> Operation {
    match access {
        Access::Read => Operation::Read,
        Access::Write => Operation::Write,
        Access::ReadWrite => Operation::ReadWrite,
        Access::Unknown => Operation::Unspecified,
    }
}

/// Dates an event: when it was seen first, or, where it stands for repeats, now.
pub(super) fn at(event: &mut Event, time_boot_ns: u64, repeats: Option<u64>) {
    let clock = BootClock::read();
    let time_boot_ns = match repeats {
        None => time_boot_ns,
        Some(_) => clock.since_boot_ns(),
    };
    event.time = Some(timestamp(clock.wall(time_boot_ns)));
    event.time_since_boot_ns = time_boot_ns;
    event.count = repeats.unwrap_or(1);
}

impl Facts {
    /// A use by a task, not yet dated.
    pub(super) fn used(
        &mut self,
        kind: EventKind,
        task: &Task,
        outcome: (Outcome, u32),
        observation: Shared<Observation>,
    ) -> Event {
        let (actor, workload) = self.actor(task);
        Event {
            kind: kind.into(),
            actor: Some(actor),
            workload: Some(workload),
            outcome: outcome.0.into(),
            errno: outcome.1,
            observation: Some(observation),
            ..Event::default()
        }
    }

    /// The acting process with its ancestors, and its workload.
    fn actor(&mut self, task: &Task) -> Who {
        if let Some(who) = self.told.of(task, self.processes.changes()) {
            self.to_place.clear();
            return who;
        }
        let (actor, workload) = self.describe(task);
        let who = (actor.into(), workload.into());
        if self.to_place.is_empty() {
            // To describe it may have taken a look at procfs.
            self.told.keep(task, self.processes.changes(), Who::clone(&who));
        }
        who
    }

    fn describe(&mut self, task: &Task) -> (Actor, Workload) {
        // What is not known yet is read from procfs, before anything of it is looked up.
        self.processes.describe(task.run());
        self.processes.look_up_argument(task.process);
        self.to_place = self.processes.look_up_places(task);
        let mut process = self.process(task.run(), &task.comm);
        let cgroup = self.cgroups.path_of(task.cgroup_id).map(str::to_owned);
        process.tid = task.tid;
        (process.exe_device, process.exe_inode) = task.exe.unwrap_or_default();
        self.confirm_program(&mut process, task);
        process.uid = task.uid;
        process.gid = task.gid;
        process.euid = task.euid;
        process.egid = task.egid;
        process.login_uid = task.login_uid;
        process.effective_capabilities = Some(task.effective_capabilities);
        process.cgroup_id = task.cgroup_id;
        process.namespaces = Some(Namespaces {
            mount: task.mount_namespace,
            pid: task.pid_namespace,
            network: task.network_namespace,
            user: task.user_namespace,
        });
        match &cgroup {
            Ok(path) => process.cgroup_path.clone_from(path),
            Err(reason) if process.unknown_reason.is_empty() => process.unknown_reason = (*reason).to_owned(),
            Err(_) => {}
        }
        let workload = self.workload_in(cgroup.as_deref().map_err(|reason| *reason), &process);
        let ancestors = task
            .ancestors
            .iter()
            .map(|ancestor| {
                self.processes.look_up_argument(ancestor.process);
                self.process(*ancestor, "")
            })
            .collect();
        (
            Actor {
                process: Some(process),
                ancestors,
                creators: self.creators(task),
                ..Actor::default()
            },
            workload,
        )
    }

    /// The workload of a process in a cgroup, or of which it is said why that is not known.
    fn workload_in(&mut self, cgroup: Result<&str, &str>, process: &Process) -> Workload {
        let owner = match cgroup.map(classify) {
            Ok(CgroupRole::Unit { user, .. } | CgroupRole::Session { user, .. }) => user,
            _ => None,
        };
        let user = owner.and_then(|uid| self.users.name(uid)).map(str::to_owned);
        workload(&WorkloadContext {
            host: &self.host,
            cgroup: Some(cgroup),
            program: program_path(process),
            exe_path: &process.exe_path,
            user: user.as_deref(),
        })
    }

    /// A process that another one has to do with, and its workload, as they are now.
    pub(super) fn other(&mut self, key: ProcessKey) -> (Process, Workload) {
        let process = self.process_of(key, "");
        let cgroup = cgroup_of(key);
        let workload = self.workload_in(cgroup.as_deref().ok_or(ENDED), &process);
        (process, workload)
    }

    /// Takes away what is said of the program where the kernel says that another one runs, and marks the one that does as the kernel has it now.
    /// Where the start of that very run was seen, no other does: the process has only said so, and what it was started from stays.
    fn confirm_program(&self, process: &mut Process, task: &Task) {
        let facts = self.processes.known_best(task.run());
        let runs_it = |facts: &ProcessFacts| task.exe.is_none_or(|(_, inode)| facts.may_run(inode));
        let runs_it = facts.is_none_or(runs_it);
        if !runs_it
            && let Some(facts) = facts
            && let Some(started) = facts.started(task.run())
        {
            (process.exe_device, process.exe_inode) = started;
            process.exe_replaced = true;
            return;
        }
        if !runs_it {
            process.exe_path.clear();
            process.exe_place = None;
            process.comm_at_exec.clear();
            process.script = None;
            process.loaded_program = None;
            process.applet.clear();
            process.environment_code = None;
            process.unknown_reason = NOT_SEEN.into();
        }
        if !process.exe_path.is_empty() && process.exe_place.is_none() {
            process.exe_place = Some((&Place::not_yet()).into());
        }
        for file in [&mut process.script, &mut process.loaded_program]
            .into_iter()
            .flatten()
        {
            if file.inode != 0 && file.place.is_none() {
                file.place = Some((&Place::not_yet()).into());
            }
        }
        process.exe_deleted = task.exe_marks.deleted();
        process.exe_memfd = task.exe_marks.memfd();
        process.exe_upper_layer = task.exe_marks.upper_layer();
        if task.exe_marks.layer_unknown() && process.unknown_reason.is_empty() {
            process.unknown_reason = NO_LAYERS.into();
        }
    }

    /// What is known of a process in one of its program runs.
    pub(super) fn process(&mut self, run: ProgramRun, comm: &str) -> Process {
        let mut process = named(run.process, comm);
        if let Some(facts) = self.processes.describe(run) {
            tell(&mut process, facts);
        } else if self.processes.last_known(run.process).is_some() {
            process.unknown_reason = NOT_SEEN.into();
        } else {
            process.unknown_reason = ENDED.into();
        }
        process
    }

    /// What is known of a process, whichever program it ran last.
    pub(super) fn process_of(&mut self, key: ProcessKey, comm: &str) -> Process {
        let exec_id = self.processes.last_known(key).and_then(|facts| facts.exec_id);
        let run = ProgramRun {
            process: key,
            exec_id: exec_id.unwrap_or_default(),
        };
        self.process(run, comm)
    }

    /// Those who created the process of a task, where they are not its ancestors.
    fn creators(&mut self, task: &Task) -> Vec<Process> {
        let creators = self.processes.creators(task.process);
        let ancestors = task.ancestors.iter().map(|ancestor| ancestor.process);
        if creators
            .iter()
            .copied()
            .zip(ancestors)
            .all(|(creator, ancestor)| creator == ancestor)
        {
            return Vec::new();
        }
        let told = creators.into_iter().map(|creator| {
            self.processes.look_up_argument(creator);
            let mut process = named(creator, "");
            match self.processes.last_known(creator) {
                Some(facts) => tell(&mut process, facts),
                None => process.unknown_reason = ENDED.into(),
            }
            process
        });
        told.collect()
    }
}

fn named(key: ProcessKey, comm: &str) -> Process {
    Process {
        pid: key.pid,
        start_time_ticks: key.start_ticks,
        comm: comm.to_owned(),
        ..Process::default()
    }
}

/// What the table knows.
fn tell(process: &mut Process, facts: &ProcessFacts) {
    process.exe_path.clone_from(&facts.exe_path);
    process.exe_deleted = facts.exe_marks.deleted();
    process.exe_memfd = facts.exe_marks.memfd();
    process.exe_upper_layer = facts.exe_marks.upper_layer();
    process.exe_place = facts.exe_place.as_ref().map(|(_, place)| place.into());
    process.comm_at_exec.clone_from(&facts.comm_at_exec);
    if let Some(run) = &facts.run {
        process.script.clone_from(&run.script);
        process.loaded_program.clone_from(&run.loaded);
        process.applet = run.applet.to_owned();
    }
    process.environment_code = facts.code.as_deref().map(Into::into);
    process.uid = facts.uid;
    if process.comm.is_empty() {
        process.comm.clone_from(&facts.comm);
    }
}

/// A credential file, without its identities.
pub(super) fn credential(used: &Used<'_>) -> Credential {
    let path = used.path.display();
    let path_bytes = if path.as_bytes() == used.path.bytes {
        Vec::new()
    } else {
        used.path.bytes.clone()
    };
    Credential {
        kind: used.entry.kind().to_owned(),
        path,
        path_bytes,
        device: used.device,
        inode: used.inode,
        generation: used.generation,
        operation: used.operation.into(),
        matched_by: used.matched_by.into(),
        catalogue_entry: used.entry.id().to_owned(),
        path_truncated: used.path.truncated,
        ..Credential::default()
    }
}

/// The sensor's word about itself.
pub(super) fn sensor_status(
    reason: &str,
    kernel: &str,
    probes: &[ProbeState],
    accounts: impl Fn(Probe) -> ProbeAccounts,
) -> Event {
    let usage = SelfUsage::read();
    let clock = BootClock::read();
    let probes = probes
        .iter()
        .map(|state| {
            let accounts = accounts(state.probe);
            ProbeStatus {
                probe: state.probe.word().to_owned(),
                hook: state.hook.clone().unwrap_or_default(),
                refused: state.refused.iter().map(ToString::to_string).collect(),
                cannot_see: state.cannot_see.clone(),
                seen: accounts.seen,
                submitted: accounts.submitted,
                lost: losses_of(state.probe, &accounts),
            }
        })
        .collect();
    Event {
        kind: EventKind::SensorStatus.into(),
        time: Some(timestamp(clock.wall(clock.since_boot_ns()))),
        time_since_boot_ns: clock.since_boot_ns(),
        sensor_status: Some(Box::new(SensorStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: kernel.to_owned(),
            probes,
            reason: reason.to_owned(),
            resident_memory_bytes: usage.resident_memory_bytes,
            cpu_time_us: usage.cpu_time_us,
        })),
        ..Event::default()
    }
}

/// Nobody watched, before the start.
pub(super) const NOT_WATCHING: &str = "not_watching";
/// A probe did not see.
pub(super) const BLIND: &str = "blind";
/// Something could not be labelled and is not watched.
pub(super) const NOT_LABELLED: &str = "not_labelled";
/// Accounts do not add up.
pub(super) const UNBALANCED: &str = "accounts_unbalanced";

/// All reasons of gaps.
pub(super) fn gap_reasons() -> Vec<&'static str> {
    let own = [NOT_WATCHING, BLIND, NOT_LABELLED, UNBALANCED];
    let spools = LossReason::ALL.map(LossReason::word);
    let lost = kernel_losses().into_iter().chain(LostHere::WORDS.iter().copied());
    lost.chain(spools).chain(own).collect()
}

/// A gap, told now.
pub(super) fn gap(gap: Gap) -> Event {
    let clock = BootClock::read();
    Event {
        kind: EventKind::Gap.into(),
        time: Some(timestamp(clock.wall(clock.since_boot_ns()))),
        time_since_boot_ns: clock.since_boot_ns(),
        gap: Some(Box::new(gap)),
        ..Event::default()
    }
}

/// One probe's losses as the contract has them.
pub(super) fn losses_of(probe: Probe, accounts: &ProbeAccounts) -> Vec<LossCount> {
    accounts
        .lost
        .iter()
        .map(|(reason, count)| LossCount {
            stage: probe.word().to_owned(),
            reason: (*reason).to_owned(),
            count: *count,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::attribute::program_of;

    #[test]
    fn the_program_of_a_process_that_was_not_known_is_looked_up_at_its_first_event() {
        let mut task = Task::from(&TaskSnapshot::new_zeroed());
        let (process, program) = program_of(std::process::id()).expect("this process");
        task.process = process;
        task.exe = Some(program);
        let mut facts = Facts {
            host: "host".into(),
            processes: ProcessTable::default(),
            cgroups: Cgroups::at(None),
            users: Users::at("/nowhere"),
            told: ToldActors::default(),
            to_place: Vec::new(),
        };
        facts.describe(&task);
        let known = facts.processes.last_known(process).expect("read from procfs");
        assert!(known.exe_place.is_some() || !facts.to_place.is_empty());
    }
}
