//! For each probe the first hook that loads, attaches, and is seen to work.

use std::ffi::OsString;

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, FEntry, Lsm, ProgramError, ProgramFd, TracePoint},
};
use claviger_sensor_common::Probe;

use super::{
    HookTrial, KernelError, Labeller, ProbeState,
    canary::{open_refused, open_seen, start_one},
    hooks,
};
use crate::{config::FileOpenHook, error::in_one_line};

/// Starts programs of a loaded object.
pub(super) struct Attacher<'a> {
    ebpf: &'a mut Ebpf,
    btf: &'a Btf,
    /// The programs in use.
    pub(super) programs: Vec<(Probe, ProgramFd)>,
}

impl<'a> Attacher<'a> {
    pub(super) fn new(ebpf: &'a mut Ebpf, btf: &'a Btf) -> Self {
        Self {
            ebpf,
            btf,
            programs: Vec::new(),
        }
    }

    /// The first hook that answers the canary. Without one there is nothing to watch with.
    pub(super) fn file_open(
        &mut self,
        hooks: &[FileOpenHook],
        labeller: &mut Labeller,
    ) -> Result<ProbeState, KernelError> {
        let mut refused = Vec::new();
        for &hook in hooks {
            let names = program_names(hook);
            let tried = names
                .iter()
                .try_for_each(|name| self.start(name, Probe::FileOpen))
                .and_then(|()| open_seen(labeller));
            match tried {
                Ok(()) => {
                    let cannot_see = hooks::cannot_see(hook)
                        .iter()
                        .map(|&what| what.to_owned())
                        .collect();
                    return Ok(ProbeState {
                        probe: Probe::FileOpen,
                        hook: Some(hooks::name(hook).into()),
                        refused,
                        cannot_see,
                    });
                }
                Err(reason) => {
                    for name in names {
                        self.stop(name);
                    }
                    self.programs.retain(|(probe, _)| *probe != Probe::FileOpen);
                    refused.push(HookTrial {
                        hook: hooks::name(hook).into(),
                        reason,
                    });
                }
            }
        }
        Err(KernelError::NoHook {
            probe: Probe::FileOpen.word(),
            tried: refused.iter().map(ToString::to_string).collect(),
        })
    }

    /// The look at refused opens: its own programs beside LSM or fentry, the same programs where opens are seen by tracepoint.
    pub(super) fn file_open_denied(&mut self, by_tracepoint: bool, labeller: &mut Labeller) -> ProbeState {
        let hook = "tracepoint/syscalls/sys_exit_openat".to_owned();
        let mut tried = Ok(());
        if !by_tracepoint {
            for name in [
                "sys_exit_open_denied",
                "sys_exit_openat_denied",
                "sys_exit_openat2_denied",
            ] {
                tried = tried.and_then(|()| self.start(name, Probe::FileOpenDenied));
            }
        }
        let tried = tried.and_then(|()| match labeller.sees_denied(open_refused) {
            Ok(true) => Ok(()),
            Ok(false) => Err("attached but never ran".to_owned()),
            Err(error) => Err(in_one_line(&error)),
        });
        let cannot_see = vec!["refusals of 32-bit system calls, io_uring and open_by_handle_at".to_owned()];
        match tried {
            Ok(()) => ProbeState {
                probe: Probe::FileOpenDenied,
                hook: Some(hook),
                refused: Vec::new(),
                cannot_see,
            },
            Err(reason) => ProbeState {
                probe: Probe::FileOpenDenied,
                hook: None,
                refused: vec![HookTrial { hook, reason }],
                cannot_see: vec!["refused opens".to_owned()],
            },
        }
    }

    /// Programs started, processes created and ended.
    pub(super) fn process(&mut self, canary_command: &[OsString]) -> Vec<ProbeState> {
        let states = [
            (Probe::ProcessExec, "process_exec", "sched_process_exec"),
            (Probe::ProcessFork, "process_fork", "sched_process_fork"),
            (Probe::ProcessExit, "process_exit", "sched_process_exit"),
        ]
        .map(|(probe, name, tracepoint)| {
            let hook = format!("tp_btf/{tracepoint}");
            match self.start(name, probe) {
                Ok(()) => ProbeState {
                    probe,
                    hook: Some(hook),
                    refused: Vec::new(),
                    cannot_see: Vec::new(),
                },
                Err(reason) => ProbeState::without_processes(probe, hook, reason),
            }
        });
        if let Err(error) = start_one(canary_command) {
            tracing::warn!(error = %in_one_line(&error), "the program that shows whether the process probes work could not be run");
        }
        states.into()
    }

    /// Loads and attaches one program.
    fn start(&mut self, name: &str, probe: Probe) -> Result<(), String> {
        let program = self
            .ebpf
            .program_mut(name)
            .ok_or_else(|| format!("program {name} is not in the object"))?;
        let btf = self.btf;
        let started: Result<(), ProgramError> = (|| {
            match name {
                "lsm_file_open" => {
                    let lsm: &mut Lsm = program.try_into()?;
                    lsm.load("file_open", btf)?;
                    lsm.attach()?;
                }
                "fentry_security_file_open" => {
                    let fentry: &mut FEntry = program.try_into()?;
                    fentry.load("security_file_open", btf)?;
                    fentry.attach()?;
                }
                "process_exec" | "process_fork" | "process_exit" => {
                    let tracepoint: &mut BtfTracePoint = program.try_into()?;
                    tracepoint.load(&format!("sched_{name}"), btf)?;
                    tracepoint.attach()?;
                }
                _ => {
                    let tracepoint: &mut TracePoint = program.try_into()?;
                    tracepoint.load()?;
                    tracepoint.attach("syscalls", name.trim_end_matches("_denied"))?;
                }
            }
            Ok(())
        })();
        started.map_err(|error| reason(&error))?;
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
    fn stop(&mut self, name: &str) {
        if let Some(program) = self.ebpf.program_mut(name) {
            // Not loaded is as good as unloaded.
            let _not_loaded = match program {
                aya::programs::Program::Lsm(program) => program.unload(),
                aya::programs::Program::FEntry(program) => program.unload(),
                aya::programs::Program::TracePoint(program) => program.unload(),
                _ => Ok(()),
            };
        }
    }
}

fn program_names(hook: FileOpenHook) -> &'static [&'static str] {
    match hook {
        FileOpenHook::Lsm => &["lsm_file_open"],
        FileOpenHook::Fentry => &["fentry_security_file_open"],
        FileOpenHook::Tracepoint => &["sys_exit_open", "sys_exit_openat", "sys_exit_openat2"],
    }
}

/// Why a program could not be started, in one line; the verifier's whole log goes to debug logging.
fn reason(error: &ProgramError) -> String {
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
