//! Reaching for another process: `syscalls:sys_exit_{ptrace,process_vm_readv}`, allowed or refused, and of the sensor also
//! `process_vm_writev`, `pidfd_getfd` and `process_madvise`. The caller names a process by the id of any of its threads, in its own pid namespace; it is looked up as the kernel
//! does that, and where it is gone at the end of the call, the agent finds out which it was. Behind a process file descriptor it is known.
//!
//! A process may also come to be traced without a call of its tracer: it asks for it itself (`PTRACE_TRACEME`), or is created by one that is traced so.
//! That is told of the tracer, which from then on may do all that an attached one may.

use aya_ebpf::{
    macros::{map, tracepoint},
    maps::HashMap,
    programs::TracePointContext,
};
use claviger_sensor_common::{
    Ancestor, Calls, Counter, OPERATION_REACH, ObjectKey, PART_ADVICE, PART_DESCRIPTOR, PART_PTRACE,
    PART_TRACED_FROM_START, PART_TRACEME, PART_VM_READ, PART_VM_WRITE, Probe, ProcessSecretRecord,
    RECORD_PROCESS_SECRET, REQUEST_REACHED, RepeatKey, TAMPER_IN_FLIGHT_MAX,
};

use crate::{
    agent_threads,
    arguments::{Arguments, number, result},
    attempts::is_refusal,
    begun, descriptors, labels,
    numbers::untyped,
    offsets::{agent_pid, offset},
    process_files::process_of_id,
    read::{Probed, Read, Typed, pointer},
    repeats,
    report::{lose, submit},
    task,
};

/// include/uapi/linux/ptrace.h
const PTRACE_TRACEME: u64 = 0;
const PTRACE_ATTACH: u64 = 16;
const PTRACE_SEIZE: u64 = 0x4206;

const NOBODY: Ancestor = Ancestor {
    pid: 0,
    exec_id: 0,
    start_boottime_ns: 0,
};

/// Calls under way on a process file descriptor of the sensor, by thread. At the exit it may be closed, and what the call has returned have its number.
#[map]
static SENSOR_ASKED: HashMap<u32, Ancestor> = HashMap::with_max_entries(TAMPER_IN_FLIGHT_MAX, 1);

/// `pidfd_getfd` or `process_madvise` is asked for.
#[tracepoint]
pub fn sys_enter_by_process(_ctx: TracePointContext) -> u32 {
    begun::begins(Calls::RequestsByDescriptor);
    let target = behind(descriptors::checked_file(Arguments::current().first() as u32));
    if target.pid != agent_pid() || task::current_pid() == agent_pid() {
        return 0;
    }
    if SENSOR_ASKED.insert(task::current_tid(), target, 0).is_err() {
        lose(Probe::ProcessSecret, Counter::LostInFlight);
    }
    0
}

/// `ptrace`, `process_vm_readv` or `process_vm_writev` is asked for.
#[tracepoint]
pub fn sys_enter_reaches(_ctx: TracePointContext) -> u32 {
    begun::begins(Calls::Requests);
    0
}

/// Attaching by ptrace (what follows is done by right of it), reading memory, and what else is done to the sensor so.
#[tracepoint]
pub fn sys_exit_reaches(ctx: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    let first = arguments.first();
    let number = number(&ctx);
    let calls = match number {
        number::PIDFD_GETFD | number::PROCESS_MADVISE => Calls::RequestsByDescriptor,
        _ => Calls::Requests,
    };
    if !begun::began(calls) && result(&ctx) >= 0 {
        return 0;
    }
    match number {
        number::PROCESS_VM_READV => reached_by_id(result(&ctx), first as u32, PART_VM_READ),
        number::PROCESS_VM_WRITEV if agent_threads::is_named(first as u32) => {
            reached_by_id(result(&ctx), first as u32, PART_VM_WRITE);
        }
        call @ (number::PIDFD_GETFD | number::PROCESS_MADVISE) => {
            let thread = task::current_tid();
            let part = if call == number::PIDFD_GETFD {
                PART_DESCRIPTOR
            } else {
                PART_ADVICE
            };
            // SAFETY: a value that only this thread writes.
            if let Some(target) = unsafe { SENSOR_ASKED.get(thread) }.copied() {
                let _there = SENSOR_ASKED.remove(thread);
                reached(result(&ctx), target, 0, part);
                return 0;
            }
            let file = descriptors::checked_file(first as u32);
            if file.is_null() && (result(&ctx) >= 0 || is_refusal(result(&ctx))) {
                lose(Probe::ProcessSecret, Counter::LostDescriptorGone);
                return 0;
            }
            let target = behind(file);
            if target.pid == agent_pid() {
                reached(result(&ctx), target, 0, part);
            }
        }
        number::PTRACE if first == PTRACE_ATTACH || first == PTRACE_SEIZE => {
            reached_by_id(result(&ctx), arguments.second() as u32, PART_PTRACE);
        }
        number::PTRACE if first == PTRACE_TRACEME => asked_for(result(&ctx)),
        _ => {}
    }
    0
}

/// The process behind a process file descriptor.
#[inline(always)]
fn behind(file: *const u8) -> Ancestor {
    // Since 6.9 such files have an inode each, which has it.
    let own = pointer::<Probed>(file, offset!(file_private));
    let id = if own.is_null() {
        pointer::<Probed>(
            pointer::<Probed>(file, offset!(file_inode)),
            offset!(inode_private),
        )
    } else {
        own
    };
    process_of_id(id)
}

/// A process was reached for by the id of any of its threads, as the caller has it. Where that names nobody any more, the agent is told the id.
#[inline(always)]
fn reached_by_id(result: i64, given_pid: u32, part: u32) {
    if result < 0 && !is_refusal(result) {
        return;
    }
    let id = task::pid_named(given_pid) as *const u8;
    let target = if id.is_null() { NOBODY } else { process_of_id(id) };
    reached(result, target, given_pid, part);
}

/// A process was reached for: the one that is known, or else the one that the caller named.
#[inline(always)]
fn reached(result: i64, target: Ancestor, given_pid: u32, part: u32) {
    if result < 0 && !is_refusal(result) {
        return;
    }
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_REACHED);
        return;
    }
    let errno = if result < 0 { -result as u32 } else { 0 };
    report(Probe::ProcessSecret, part, target, given_pid, errno, 0, 0);
}

/// The current process asked to be traced by its parent.
#[inline(always)]
fn asked_for(result: i64) {
    if result < 0 && !is_refusal(result) {
        return;
    }
    let parent = pointer::<Typed>(task::current(), offset!(task_real_parent));
    let errno = if result < 0 { -result as u32 } else { 0 };
    traced(untyped(parent), untyped(task::current()), PART_TRACEME, errno);
}

/// A process was created: the kernel has attached it by now where its creator is traced so that what it creates is too.
#[inline(always)]
pub fn created(child: *const u8) {
    if Typed::read::<u32>(child, offset!(task_traced)) != 0 {
        let tracer = pointer::<Typed>(child, offset!(task_tracer));
        traced(untyped(tracer), untyped(child), PART_TRACED_FROM_START, 0);
    }
}

/// Reports that a task traces another one. Global, so that what it takes of the stack is not taken from its callers.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn traced(tracer: u64, target: u64, part: u32, errno: u32) -> u32 {
    let tracer = tracer as *const u8;
    let target = task::identify::<Probed>(target as *const u8);
    let leader = pointer::<Probed>(tracer, offset!(task_group_leader));
    let key = repeats::key_of(
        task::identify::<Probed>(tracer),
        task::exec_id::<Probed>(leader),
        OPERATION_REACH + part,
        object(target, 0, 0),
        0,
        errno,
    );
    let tell = || {
        submit::<ProcessSecretRecord>(Probe::ProcessSecret as u32, RECORD_PROCESS_SECRET, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.target = target;
            record.given_pid = 0;
            record.device = 0;
            record.since_boot_ns = 0;
            record.pre_existing = 0;
            record.reserved = 0;
            task::snapshot_of_another(untyped(tracer), &raw mut record.task);
            true
        })
    };
    if part == PART_TRACED_FROM_START {
        // A process is created once, and a tracer may have any number created.
        tell();
    } else {
        repeats::first_only(Probe::ProcessSecret as u32, &key, tell);
    }
    0
}

/// What reaching for a part of a process, or of all, by the current task is counted under.
#[inline(always)]
pub fn key(part: u32, target: Ancestor, given_pid: u32, errno: u32, access: u32, device: u32) -> RepeatKey {
    repeats::key(
        OPERATION_REACH + part,
        object(target, given_pid, device),
        access,
        errno,
    )
}

/// What stands in such a key for whose it is.
#[inline(always)]
pub fn object(target: Ancestor, given_pid: u32, device: u32) -> ObjectKey {
    ObjectKey {
        inode: target.start_boottime_ns,
        device: if target.pid == 0 { given_pid } else { target.pid },
        generation: device,
    }
}

/// Reports.
#[inline(always)]
pub fn report(
    probe: Probe,
    part: u32,
    target: Ancestor,
    given_pid: u32,
    errno: u32,
    access: u32,
    device: u32,
) {
    let key = key(part, target, given_pid, errno, access, device);
    repeats::first_only(probe as u32, &key, || {
        submit::<ProcessSecretRecord>(probe as u32, RECORD_PROCESS_SECRET, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.target = target;
            record.given_pid = given_pid;
            record.device = device;
            record.since_boot_ns = 0;
            record.pre_existing = 0;
            record.reserved = 0;
            task::snapshot(&raw mut record.task);
            true
        })
    });
}
