//! Programs started, processes created and ended: `tp_btf/sched_process_{exec,fork,exit}`, stable in name and first arguments
//! since 4.x; tp_btf needs 5.5.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use claviger_sensor_common::{
    ExecRecord, ExitRecord, ForkRecord, MARK_MEMFD, OPERATION_INHERIT, Probe, RECORD_EXEC, RECORD_EXIT,
    RECORD_FORK,
};

use crate::{
    agent_threads, copies, descriptors,
    file_use::used,
    fixed_files, holders,
    numbers::untyped,
    offsets::{agent_pid, offset},
    path, process_files, process_secrets, program,
    read::{Probed, Read, Typed, pointer},
    report::{submit, submit_soon},
    sharers, task,
};

/// `sched_process_exec(task, old_pid, bprm)`: the task runs its new program.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn process_exec(ctx: BtfTracePointContext) -> i32 {
    sharers::left();
    #[cfg(feature = "debug-logs")]
    aya_log_ebpf::debug!(&ctx, "exec by process {}", task::current_pid());
    let mm = pointer::<Typed>(task::current(), offset!(task_mm));
    let exe = pointer::<Probed>(mm, offset!(mm_exe_file));
    let started: *const u8 = ctx.arg(2);
    let filename = pointer::<Typed>(started, offset!(binprm_filename));
    // Another string stands there once the kernel has found that the file needs an interpreter.
    let is_script = filename != pointer::<Typed>(started, offset!(binprm_interpreter));
    let runs = program::started(untyped(exe), untyped(filename), is_script as u32);
    submit::<ExecRecord>(Probe::ProcessExec as u32, RECORD_EXEC, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        task::snapshot(&raw mut record.task);
        task::write_root(&raw mut record.root);
        record.runs = runs & ((1 << program::NOT_TOLD_SHIFT) - 1);
        record.not_told = runs >> program::NOT_TOLD_SHIFT;
        path::walk(&path::of_file(exe), &mut record.exe);
        if record.task.exe_marks & MARK_MEMFD != 0 {
            task::memfd_name(exe, &mut record.exe);
        }
        true
    });
    0
}

/// `sched_process_exec` once more, for the files that the new program has open from before: those that close at exec are closed by now. A
/// program of its own, for kernels before 5.17 do not take it.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn process_exec_inherited(_ctx: BtfTracePointContext) -> i32 {
    if task::current_pid() != agent_pid() {
        descriptors::each::<Inherited>(Probe::FileInherited);
        copies::program_started();
    }
    0
}

struct Inherited;

impl descriptors::Take for Inherited {
    #[inline(always)]
    fn take(file: *const u8) -> u32 {
        if process_files::process_file_came(untyped(file), OPERATION_INHERIT) != 0 {
            return 0;
        }
        used::<Probed>(Probe::FileInherited, OPERATION_INHERIT, file);
        let ring = fixed_files::ring(file);
        if ring != 0 {
            fixed_files::each::<InheritedInRing>(Probe::FileInherited, ring);
        }
        0
    }
}

/// The fixed files of a ring that was inherited.
struct InheritedInRing;

impl descriptors::Take for InheritedInRing {
    #[inline(always)]
    fn take(file: *const u8) -> u32 {
        // In this order, which takes less of the stack.
        let told = used::<Probed>(Probe::FileInherited, OPERATION_INHERIT, file);
        process_files::process_file_came(untyped(file), OPERATION_INHERIT);
        told
    }
}

/// `sched_process_fork(parent, child)`: threads are left out.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn process_fork(ctx: BtfTracePointContext) -> i32 {
    let parent: *const u8 = ctx.arg(0);
    let child: *const u8 = ctx.arg(1);
    let pid: u32 = Typed::read(child, offset!(task_pid));
    let tgid: u32 = Typed::read(child, offset!(task_tgid));
    if pid != tgid {
        agent_threads::began(tgid, pid);
        return 0;
    }
    if holders::forked(parent, child) {
        copies::forked(parent, child);
    }
    sharers::created(parent, child);
    process_secrets::created(child);
    submit_soon::<ForkRecord>(Probe::ProcessFork as u32, RECORD_FORK, |record| {
        // SAFETY: `record` is a reservation of this size.
        unsafe {
            (&raw mut (*record).child).write(task::identify::<Typed>(child));
            (&raw mut (*record).parent).write(task::identify::<Typed>(parent));
        }
        true
    });
    0
}

/// `sched_process_exit(task)`: only the last thread's end is the process's.
#[btf_tracepoint(function = "sched_process_exit")]
pub fn process_exit(ctx: BtfTracePointContext) -> i32 {
    let ended: *const u8 = ctx.arg(0);
    let signal = pointer::<Typed>(ended, offset!(task_signal));
    let live: u32 = Probed::read(signal, offset!(signal_live));
    if live != 0 {
        agent_threads::ended(ended);
        return 0;
    }
    let process = task::identify::<Typed>(ended);
    copies::ended(&process);
    sharers::left();
    program::ended(&process);
    submit_soon::<ExitRecord>(Probe::ProcessExit as u32, RECORD_EXIT, |record| {
        // SAFETY: `record` is a reservation of this size.
        unsafe { (&raw mut (*record).process).write(process) };
        true
    });
    0
}
