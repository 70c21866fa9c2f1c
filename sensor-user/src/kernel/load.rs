//! Loading: the object, then for each probe the first hook that is seen to work.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::RingBuf,
    programs::{BtfTracePoint, FEntry, Lsm, ProgramError, ProgramFd, TracePoint},
};
use claviger_sensor_common::Probe;
use rustix::process::{Resource, Rlimit, setrlimit};
use zerocopy::IntoBytes as _;

use super::{
    Accounts, HookTrial, KernelError, Labeller, OBJECT, ProbeState, Purpose, Records, hooks, offsets,
    preconditions, private_mounts::with_private_mounts,
};
use crate::config::FileOpenHook;

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Hooks for file opens, best first; the first that works is used.
    pub file_open_hooks: Vec<FileOpenHook>,
    /// A program that ends at once, and its arguments: started to see whether the process probes work.
    pub canary_command: Vec<OsString>,
    /// The kernel's BTF.
    pub btf: PathBuf,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            file_open_hooks: vec![FileOpenHook::Lsm, FileOpenHook::Fentry, FileOpenHook::Tracepoint],
            canary_command: vec!["/bin/true".into()],
            btf: "/sys/kernel/btf/vmlinux".into(),
        }
    }
}

/// Keeps programs and links alive: everything is detached and unloaded when it is dropped.
pub struct Attached {
    _ebpf: Ebpf,
}

/// The kernel half at work.
pub struct Kernel {
    /// To be kept for as long as the kernel is to be watched.
    pub attached: Attached,
    /// What the kernel reports.
    pub records: Records,
    /// Sets labels.
    pub labeller: Labeller,
    /// The kernel half's accounts.
    pub accounts: Accounts,
    /// How each probe came out.
    pub probes: Vec<ProbeState>,
    /// The active LSMs, in order; nothing where that cannot be read.
    pub active_lsms: Option<String>,
}

impl Kernel {
    /// Loads and attaches. Blocks for about half a second; must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`KernelError`]: whatever makes watching here impossible, with what to do about it.
    pub fn load(options: &LoadOptions) -> Result<Self, KernelError> {
        preconditions::check()?;
        let offsets = offsets::resolve(&options.btf)?;
        raise_memlock();
        #[cfg_attr(
            not(feature = "debug-logs"),
            expect(unused_mut, reason = "only the logger changes it")
        )]
        let (mut ebpf, ring, labeller, accounts, probes, active_lsms) = with_private_mounts(|| {
            let mut ebpf = EbpfLoader::new()
                .override_global("OFFSETS", offsets.as_bytes(), true)
                .override_global("AGENT_PID", &std::process::id(), true)
                .load(OBJECT)
                .map_err(|source| KernelError::Object(Box::new(source)))?;
            let ring = take_ring(&mut ebpf)?;
            let mut labeller = Labeller::new(&mut ebpf)?;
            let btf = Btf::from_sys_fs()
                .map_err(|source| KernelError::Object(Box::new(aya::EbpfError::BtfError(source))))?;
            let mut attach = Attacher {
                ebpf: &mut ebpf,
                btf: &btf,
                programs: Vec::new(),
            };
            let file_open = attach.file_open(&options.file_open_hooks, &mut labeller)?;
            let by_tracepoint = file_open.hook.as_deref() == Some(hooks::name(FileOpenHook::Tracepoint));
            let denied = attach.file_open_denied(by_tracepoint, &mut labeller);
            let mut probes = vec![file_open, denied];
            probes.extend(attach.process(&options.canary_command));
            let programs = attach.programs;
            let accounts = Accounts::new(&mut ebpf, programs)?;
            judge_process_probes(&mut probes, &accounts, &options.canary_command)?;
            Ok((
                ebpf,
                ring,
                labeller,
                accounts,
                probes,
                preconditions::active_lsms(),
            ))
        })?;
        #[cfg(feature = "debug-logs")]
        super::debug_logs::start(&mut ebpf);
        Ok(Self {
            attached: Attached { _ebpf: ebpf },
            records: Records::new(ring)?,
            labeller,
            accounts,
            probes,
            active_lsms,
        })
    }
}

/// Kernels before 5.11 charge maps to this limit. Where it may not be raised, later ones do not mind.
fn raise_memlock() {
    if let Err(error) = setrlimit(
        Resource::Memlock,
        Rlimit {
            current: None,
            maximum: None,
        },
    ) {
        tracing::debug!(%error, "RLIMIT_MEMLOCK stays as it is; kernels from 5.11 on do not need it raised");
    }
}

fn take_ring(ebpf: &mut Ebpf) -> Result<RingBuf<aya::maps::MapData>, KernelError> {
    let map = ebpf
        .take_map("EVENTS")
        .ok_or_else(|| KernelError::io("finding map EVENTS")(io::ErrorKind::NotFound.into()))?;
    RingBuf::try_from(map).map_err(|source| KernelError::Map {
        name: "EVENTS",
        source: Box::new(source),
    })
}

struct Attacher<'a> {
    ebpf: &'a mut Ebpf,
    btf: &'a Btf,
    /// The programs in use.
    programs: Vec<(Probe, ProgramFd)>,
}

impl Attacher<'_> {
    /// The first hook that answers the canary. Without one there is nothing to watch with.
    fn file_open(
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
                .and_then(|()| canary(labeller));
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
    fn file_open_denied(&mut self, by_tracepoint: bool, labeller: &mut Labeller) -> ProbeState {
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
            Err(error) => Err(chain(&error)),
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
    fn process(&mut self, canary_command: &[OsString]) -> Vec<ProbeState> {
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
                Err(reason) => without(probe, hook, reason),
            }
        });
        if let Err(error) = run(canary_command) {
            tracing::warn!(error = %chain(&error), "the program that shows whether the process probes work could not be run");
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

/// Opens a file and compares what the hook read of it with what the kernel tells user space. procfs shows its inode numbers as they are.
fn canary(labeller: &mut Labeller) -> Result<(), String> {
    let (opened, object) = labeller
        .ask(Purpose::Identify, || File::open("/proc/self/status"))
        .map_err(|error| chain(&error))?;
    let object = object.ok_or(
        "attached but never ran (or the sensor is in a pid namespace of its own: give it the host's)",
    )?;
    let expected = opened
        .and_then(|file| file.metadata())
        .map_err(|error| error.to_string())?
        .ino();
    if object.inode == expected {
        Ok(())
    } else {
        Err(format!(
            "it read inode {} where the kernel says {expected}",
            object.inode
        ))
    }
}

/// An open that is refused even to root: a constant of sysctl, for writing.
fn open_refused() -> io::Result<File> {
    File::options().write(true).open("/proc/sys/kernel/ostype")
}

fn run(command: &[OsString]) -> io::Result<()> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(())
}

/// A process probe that counted nothing of the canary does not work, whatever attaching said.
fn judge_process_probes(
    probes: &mut [ProbeState],
    accounts: &Accounts,
    canary_command: &[OsString],
) -> Result<(), KernelError> {
    let counts = accounts.read()?;
    for state in probes.iter_mut() {
        let of_processes = matches!(
            state.probe,
            Probe::ProcessExec | Probe::ProcessFork | Probe::ProcessExit
        );
        let silent = counts.get(&state.probe).is_none_or(|accounts| accounts.seen == 0);
        if let (true, true, Some(hook)) = (
            of_processes,
            silent,
            state.hook.take_if(|_| of_processes && silent),
        ) {
            let program = canary_command
                .first()
                .map(|program| Path::new(program).display().to_string())
                .unwrap_or_default();
            *state = without(
                state.probe,
                hook,
                format!("attached but never ran when {program} was started"),
            );
        }
    }
    Ok(())
}

fn without(probe: Probe, hook: String, reason: String) -> ProbeState {
    ProbeState {
        probe,
        hook: None,
        refused: vec![HookTrial { hook, reason }],
        cannot_see: vec!["processes but by their snapshot at a use and by /proc".to_owned()],
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
    chain(error)
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
