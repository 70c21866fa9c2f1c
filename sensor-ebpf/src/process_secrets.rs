//! Reaching for another process: `syscalls:sys_exit_{ptrace,process_vm_readv,pidfd_getfd}`, allowed or refused. The process is named as the
//! caller names it, in its own pid namespace; the agent finds out which that is.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    Ancestor, OPERATION_REACH, ObjectKey, PART_PTRACE, PART_VM_READ, Probe, ProcessSecretRecord,
    RECORD_PROCESS_SECRET, REQUEST_REACHED,
};

use crate::{
    arguments::{Arguments, number, result},
    attempts::is_refusal,
    labels,
    offsets::agent_pid,
    repeats,
    report::submit,
    task,
};

/// include/uapi/linux/ptrace.h
const PTRACE_ATTACH: u64 = 16;
const PTRACE_SEIZE: u64 = 0x4206;

const NOBODY: Ancestor = Ancestor {
    pid: 0,
    exec_id: 0,
    start_boottime_ns: 0,
};

/// Attaching by ptrace (what follows is done by right of it), and reading memory.
#[tracepoint]
pub fn sys_exit_reaches(ctx: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    let first = arguments.first();
    if number(&ctx) == number::PROCESS_VM_READV {
        reached(result(&ctx), first as u32, PART_VM_READ);
    } else if first == PTRACE_ATTACH || first == PTRACE_SEIZE {
        reached(result(&ctx), arguments.second() as u32, PART_PTRACE);
    }
    0
}

#[inline(always)]
fn reached(result: i64, pid: u32, part: u32) {
    if result < 0 && !is_refusal(result) {
        return;
    }
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_REACHED);
        return;
    }
    let errno = if result < 0 { -result as u32 } else { 0 };
    report(Probe::ProcessSecret, part, NOBODY, pid, errno, 0, 0);
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
    let object = ObjectKey {
        inode: target.start_boottime_ns,
        device: if target.pid == 0 { given_pid } else { target.pid },
        generation: device,
    };
    let key = repeats::key(OPERATION_REACH + part, object, access, errno);
    repeats::first_only(probe as u32, &key, || {
        submit::<ProcessSecretRecord>(probe as u32, RECORD_PROCESS_SECRET, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.target = target;
            record.given_pid = given_pid;
            record.device = device;
            task::snapshot(&raw mut record.task);
            true
        })
    });
}
