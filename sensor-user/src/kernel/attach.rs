//! For each probe the first hook that loads, attaches, and is seen to work.

use std::ffi::OsString;

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, CgroupSysctl,
        FEntry, FExit, Lsm, ProgramError, ProgramFd, TracePoint,
    },
};
use claviger_sensor_common::{Calls, Probe};

use super::{
    HookTrial, KernelError, Labeller, ProbeState, agent_sockets,
    attached::{Attached, Link},
    begun, canary, changes,
    hook::{self, Either, Hook, Point, Program},
    hooks, network, tamper, topmost_cgroup,
};
use crate::{config::FileOpenHook, error::in_one_line};

/// Starts programs of a loaded object.
pub(super) struct Attacher<'a> {
    ebpf: &'a mut Ebpf,
    btf: &'a Btf,
    /// The programs in use.
    programs: Vec<(Probe, ProgramFd)>,
    /// What each of them is attached by. The object may go: programs and maps live on by their links.
    links: Vec<(&'static str, Link)>,
    /// Whether nothing but tracepoints is asked for.
    tracepoints_alone: bool,
    /// Calls whose beginnings are seen.
    beginnings: Vec<Calls>,
}

impl<'a> Attacher<'a> {
    pub(super) fn new(ebpf: &'a mut Ebpf, btf: &'a Btf) -> Self {
        Self {
            ebpf,
            btf,
            programs: Vec::new(),
            links: Vec::new(),
            tracepoints_alone: false,
            beginnings: Vec::new(),
        }
    }

    /// What keeps the programs attached, and the programs.
    pub(super) fn finish(self) -> (Attached, Vec<(Probe, ProgramFd)>) {
        if let Err(error) = begun::are_seen(self.ebpf, &self.beginnings) {
            tracing::warn!(error, "what seccomp or a tracer answers may be told as done");
        }
        let links = self.links.into_iter().map(|(_, link)| link).collect();
        (Attached::new(links), self.programs)
    }

    /// The level at which opens are seen, and how that came out. Without one there is nothing to watch with.
    pub(super) fn file_open(
        &mut self,
        levels: &[FileOpenHook],
        compat_calls: bool,
        labeller: &mut Labeller,
    ) -> Result<(FileOpenHook, ProbeState), KernelError> {
        self.tracepoints_alone = levels == [FileOpenHook::Tracepoint];
        let mut refused = Vec::new();
        for &level in levels {
            let hook = hooks::of_opens(level);
            match self.one(Probe::FileOpen, &hook, labeller) {
                Ok(mut state) => {
                    state.refused = refused;
                    if level == FileOpenHook::Tracepoint
                        && !(compat_calls && self.either(&hooks::COMPAT, Probe::FileOpen))
                    {
                        state.cannot_see.push(hooks::COMPAT.otherwise.to_owned());
                    }
                    return Ok((level, state));
                }
                Err(trial) => refused.push(trial),
            }
        }
        Err(KernelError::NoHook {
            probe: Probe::FileOpen.word(),
            tried: refused.iter().map(ToString::to_string).collect(),
        })
    }

    /// The probes beside opens, at the level at which opens are seen.
    pub(super) fn others(&mut self, level: FileOpenHook, labeller: &mut Labeller) -> Vec<ProbeState> {
        let denied: &[_] = if level == FileOpenHook::Tracepoint {
            &[hooks::DENIED_ALREADY]
        } else {
            &[hooks::DENIED, hooks::DENIED_BY_CALL]
        };
        let denied = self.first_of(Probe::FileOpenDenied, denied, labeller);
        let (copied, changed) = (hooks::copied(level), changes::at(level));
        let hooks: [(Probe, &[Hook]); 9] = [
            (Probe::FileReceived, hooks::of_received(level)),
            (Probe::FileMapped, hooks::of_mapped(level)),
            (Probe::ProcessSecret, &[hooks::REACHED]),
            (Probe::KernelKey, &[hooks::KEYS]),
            (Probe::AgentSocket, agent_sockets::at(level)),
            (Probe::SensorTamper, &[tamper::TAMPER]),
            (Probe::DirectoryList, &[hooks::LISTED]),
            (Probe::FileCopied, std::slice::from_ref(&copied)),
            (Probe::CredentialChange, std::slice::from_ref(&changed)),
        ];
        let mut states = vec![denied];
        states.extend(
            hooks
                .iter()
                .map(|(probe, hooks)| self.first_of(*probe, hooks, labeller)),
        );
        let unknown = canary::learn_operations(labeller);
        if let Some(state) = states
            .iter_mut()
            .find(|state| state.probe == Probe::ProcessSecret)
        {
            state
                .cannot_see
                .extend(unknown.iter().map(|file| format!("opens of {file}")));
        }
        states
    }

    /// Connections.
    pub(super) fn network(&mut self, level: FileOpenHook, labeller: &mut Labeller) -> ProbeState {
        let mut state = self.first_of(Probe::Network, network::at(level), labeller);
        if state.hook.is_some() && !topmost_cgroup::topmost().is_ok_and(|topmost| topmost.is_root) {
            state.cannot_see.push(network::ELSEWHERE.to_owned());
        }
        state
    }

    /// Programs started, processes created and ended.
    pub(super) fn process(&mut self, canary_command: &[OsString]) -> Vec<ProbeState> {
        let states: Vec<ProbeState> = [
            (Probe::ProcessExec, "process_exec", "sched_process_exec"),
            (Probe::ProcessFork, "process_fork", "sched_process_fork"),
            // Before the end itself, so that it is told of a process that is there.
            (Probe::CoreDump, "process_exit_core", "sched_process_exit"),
            (Probe::ProcessExit, "process_exit", "sched_process_exit"),
            (
                Probe::FileInherited,
                "process_exec_inherited",
                "sched_process_exec",
            ),
            (
                Probe::ProgramSecrets,
                "process_exec_secrets",
                "sched_process_exec",
            ),
        ]
        .into_iter()
        .map(|(probe, name, tracepoint)| {
            let program = Program {
                name,
                point: Point::BtfTracepoint(tracepoint),
            };
            let hook = format!("tp_btf/{tracepoint}");
            match self.start(&program, probe) {
                Ok(()) => ProbeState {
                    probe,
                    hook: Some(hook),
                    refused: Vec::new(),
                    cannot_see: match probe {
                        Probe::CoreDump => hooks::NOT_OF_CORES.map(str::to_owned).to_vec(),
                        _ => Vec::new(),
                    },
                },
                Err(reason) => ProbeState::without(probe, vec![HookTrial { hook, reason }]),
            }
        })
        .collect();
        if let Err(error) = canary::start_one(canary_command, None) {
            tracing::warn!(error = %in_one_line(&error), "the program that shows whether the process probes work could not be run");
        }
        states
    }

    /// The first of the hooks that works.
    fn first_of(&mut self, probe: Probe, hooks: &[Hook], labeller: &mut Labeller) -> ProbeState {
        let mut refused = Vec::new();
        for hook in hooks {
            match self.one(probe, hook, labeller) {
                Ok(mut state) => {
                    state.refused = refused;
                    return state;
                }
                Err(trial) => refused.push(trial),
            }
        }
        ProbeState::without(probe, refused)
    }

    /// Starts the first of the programs that can be. False where none can.
    fn either(&mut self, either: &Either, probe: Probe) -> bool {
        let refused: Vec<String> = either
            .programs
            .iter()
            .map_while(|program| self.start(program, probe).err())
            .collect();
        let started = refused.len() < either.programs.len();
        if !started {
            tracing::debug!(?refused, "{} cannot be seen", either.otherwise);
        }
        started
    }

    /// Starts the programs of one hook and keeps them if what they are to see is seen.
    fn one(&mut self, probe: Probe, hook: &Hook, labeller: &mut Labeller) -> Result<ProbeState, HookTrial> {
        let mut tried = Ok(());
        let mut too_early = None;
        for program in hook.programs {
            tried = self.start(program, probe);
            if tried.is_ok() {
                too_early = hooks::seen_too_early(program);
                break;
            }
        }
        let tried = tried.and_then(|()| canary::of(probe).map_or(Ok(()), |canary| canary(labeller)));
        if let Err(reason) = tried {
            for program in hook.programs {
                self.stop(program);
            }
            self.programs.retain(|(of, _)| *of != probe);
            return Err(HookTrial {
                hook: hook.name.to_owned(),
                reason,
            });
        }
        let mut cannot_see: Vec<String> = hook.cannot_see.iter().map(|&what| what.to_owned()).collect();
        cannot_see.extend(too_early.map(str::to_owned));
        for either in hook.beside {
            if is_needless(either, labeller) {
                continue;
            }
            let works = self.either(either, probe) && is_seen_to_work(either, labeller);
            if !works && !cannot_see.iter().any(|what| what == either.otherwise) {
                cannot_see.push(either.otherwise.to_owned());
            }
            let of_cgroup = either
                .programs
                .iter()
                .any(|program| matches!(program.point, Point::Settings));
            if works && of_cgroup && !topmost_cgroup::topmost().is_ok_and(|topmost| topmost.is_root) {
                cannot_see.push(tamper::SETTINGS_ELSEWHERE.to_owned());
            }
        }
        Ok(ProbeState {
            probe,
            hook: Some(hook.name.to_owned()),
            refused: Vec::new(),
            cannot_see,
        })
    }

    /// Loads and attaches one program.
    fn start(&mut self, program: &Program, probe: Probe) -> Result<(), String> {
        let Program { name, point } = *program;
        if let Point::LsmWithResult(hook, result) = point {
            self.start(result, probe)?;
            return self
                .start(&hook::lsm(name, hook), probe)
                .inspect_err(|_| self.stop(result));
        }
        if self.tracepoints_alone && matches!(point, Point::Lsm(_) | Point::Fentry(_) | Point::Fexit(_)) {
            return Err("probes.file_open_hooks asks for tracepoints alone".to_owned());
        }
        let loaded = self
            .ebpf
            .program_mut(name)
            .ok_or_else(|| format!("program {name} is not in the object"))?;
        if loaded.fd().is_ok() {
            // Another choice has started it.
            return Ok(());
        }
        let (btf, links) = (self.btf, &mut self.links);
        let mut keep = |link: Link| links.push((name, link));
        let started: Result<(), ProgramError> = (|| {
            match point {
                Point::Lsm(hook) | Point::LsmWithResult(hook, _) => {
                    let lsm: &mut Lsm = loaded.try_into()?;
                    lsm.load(hook, btf)?;
                    let link = lsm.attach()?;
                    keep(Box::new(lsm.take_link(link)?));
                }
                Point::Fentry(function) => {
                    let fentry: &mut FEntry = loaded.try_into()?;
                    fentry.load(function, btf)?;
                    let link = fentry.attach()?;
                    keep(Box::new(fentry.take_link(link)?));
                }
                Point::Fexit(function) => {
                    let fexit: &mut FExit = loaded.try_into()?;
                    fexit.load(function, btf)?;
                    let link = fexit.attach()?;
                    keep(Box::new(fexit.take_link(link)?));
                }
                Point::BtfTracepoint(tracepoint) => {
                    let program: &mut BtfTracePoint = loaded.try_into()?;
                    program.load(tracepoint, btf)?;
                    let link = program.attach()?;
                    keep(Box::new(program.take_link(link)?));
                }
                Point::Settings => {
                    let program: &mut CgroupSysctl = loaded.try_into()?;
                    program.load()?;
                    let topmost = topmost_cgroup::topmost()?.directory;
                    let link = program.attach(topmost, CgroupAttachMode::Single)?;
                    keep(Box::new(program.take_link(link)?));
                }
                Point::Addresses => {
                    let program: &mut CgroupSockAddr = loaded.try_into()?;
                    program.load()?;
                    let topmost = topmost_cgroup::topmost()?.directory;
                    let link = program.attach(topmost, CgroupAttachMode::Single)?;
                    keep(Box::new(program.take_link(link)?));
                }
                Point::Egress | Point::Ingress => {
                    let program: &mut CgroupSkb = loaded.try_into()?;
                    program.load()?;
                    let topmost = topmost_cgroup::topmost()?.directory;
                    let direction = if point == Point::Egress {
                        CgroupSkbAttachType::Egress
                    } else {
                        CgroupSkbAttachType::Ingress
                    };
                    let link = program.attach(topmost, direction, CgroupAttachMode::Single)?;
                    keep(Box::new(program.take_link(link)?));
                }
                Point::Exits(calls) => to_calls(loaded, &mut keep, "exit", calls, &[])?,
                Point::Enters(calls) => to_calls(loaded, &mut keep, "enter", calls, &[])?,
                Point::ExitsAndNewer(calls, newer) => to_calls(loaded, &mut keep, "exit", calls, newer)?,
                Point::EntersAndNewer(calls, newer) => to_calls(loaded, &mut keep, "enter", calls, newer)?,
            }
            Ok(())
        })();
        started.map_err(|error| reason(&error))?;
        self.beginnings.extend(hook::beginnings_of(name));
        let verified = self
            .ebpf
            .program(name)
            .and_then(|program| program.info().ok()?.verified_instruction_count());
        tracing::debug!(program = name, verified, "loaded");
        if let Some(fd) = self
            .ebpf
            .program(name)
            .and_then(|program| program.fd().ok()?.try_clone().ok())
        {
            self.programs.push((probe, fd));
        }
        Ok(())
    }

    /// Detaches and unloads a program that is of no use.
    fn stop(&mut self, program: &Program) {
        if let Point::LsmWithResult(_, result) = program.point {
            self.stop(result);
        }
        self.links.retain(|(of, _)| *of != program.name);
        if let Some(program) = self.ebpf.program_mut(program.name) {
            // Not loaded is as good as unloaded.
            let _not_loaded = match program {
                aya::programs::Program::Lsm(program) => program.unload(),
                aya::programs::Program::FEntry(program) => program.unload(),
                aya::programs::Program::FExit(program) => program.unload(),
                aya::programs::Program::TracePoint(program) => program.unload(),
                aya::programs::Program::BtfTracePoint(program) => program.unload(),
                _ => Ok(()),
            };
        }
    }
}

/// Loads a program and attaches it to one end of some system calls, and of those `newer` ones that this kernel has.
fn to_calls(
    program: &mut aya::programs::Program,
    keep: &mut impl FnMut(Link),
    end: &str,
    calls: &[&str],
    newer: &[&str],
) -> Result<(), ProgramError> {
    let program: &mut TracePoint = program.try_into()?;
    program.load()?;
    for call in calls {
        keep(to_call(program, end, call)?);
    }
    for call in newer {
        match to_call(program, end, call) {
            Ok(link) => keep(link),
            Err(error) => {
                tracing::debug!(error = %in_one_line(&error), call, "a call that this kernel does not have");
            }
        }
    }
    Ok(())
}

/// Attaches to one end of a system call: `enter` or `exit`.
fn to_call(program: &mut TracePoint, end: &str, call: &str) -> Result<Link, ProgramError> {
    let link = program.attach("syscalls", &format!("sys_{end}_{call}"))?;
    Ok(Box::new(program.take_link(link)?))
}

/// Has what stands beside a hook show that it works, where it can be made to.
fn is_seen_to_work(either: &Either, labeller: &mut Labeller) -> bool {
    let canary = either
        .programs
        .iter()
        .find_map(|program| canary::of_beside(program.name));
    match canary.map(|canary| canary(labeller)) {
        Some(Err(reason)) => {
            tracing::debug!(reason, "{} cannot be seen", either.otherwise);
            false
        }
        Some(Ok(())) | None => true,
    }
}

/// Whether what stands beside a probe's own programs would see what these see already, and tell it twice.
fn is_needless(either: &Either, labeller: &mut Labeller) -> bool {
    let canary = either
        .programs
        .iter()
        .find_map(|program| canary::makes_needless(program.name));
    canary.is_some_and(|canary| canary(labeller).is_ok())
}

/// Why a program could not be started, in one line; the verifier's whole log goes to debug logging.
pub(super) fn reason(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        tracing::debug!(%verifier_log, "the verifier refused a program");
        let log = verifier_log.to_string();
        let last = log
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty() && !line.starts_with("processed "))
            .unwrap_or_default();
        return if last.is_empty() {
            format!("refused at load: {io_error}")
        } else {
            format!("refused at load: {io_error} ({last})")
        };
    }
    in_one_line(error)
}
