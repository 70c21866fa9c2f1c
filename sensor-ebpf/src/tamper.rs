//! What is done to the sensor itself: signals, by `tp_btf/signal_generate`, whoever sends them and by whichever call; refused ones by the exits of the
//! calls. And what all records of such things share: [`crate::tamper_bpf`],
//! [`crate::tamper_hold`] and [`crate::tamper_mounts`] see the others.
//!
//! Its files are labelled, and opens of them are seen as those of credentials are.

use aya_ebpf::{
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};
use claviger_sensor_common::{
    OPERATION_TAMPER, ObjectKey, Probe, RECORD_TAMPER, REQUEST_SIGNAL, RepeatKey, TAMPER_SIGNAL,
    TAMPER_SIGNAL_BY_DESCRIPTOR, TamperRecord,
};

use crate::{
    arguments::{Arguments, number, result},
    attempts::is_refusal,
    changes::nothing_given,
    labels,
    offsets::{agent_pid, offset},
    read::{Probed, Read, Typed},
    repeats,
    report::submit,
    tamper_hold::learn_where,
    task,
};

/// include/linux/sched/signal.h: stands for the details of a signal that the kernel sends.
const SEND_SIG_PRIV: usize = 1;
/// `struct kernel_siginfo` begins as `siginfo_t` does: number, errno, code. Codes above zero are the kernel's.
const SIGINFO_CODE: u32 = 8;

/// `signal_generate(sig, info, task, group, result)`: the current task sends. Also runs for signals that are ignored.
#[btf_tracepoint(function = "signal_generate")]
pub fn signal_generate(ctx: BtfTracePointContext) -> i32 {
    let target: *const u8 = ctx.arg(2);
    if Typed::read::<u32>(target, offset!(task_tgid)) != agent_pid() {
        return 0;
    }
    if task::current_pid() == agent_pid() {
        learn_where();
        labels::answer_seen(REQUEST_SIGNAL);
        return 0;
    }
    let details: usize = ctx.arg(1);
    let by_kernel = details == SEND_SIG_PRIV
        || (details != 0 && Probed::read::<i32>(details as *const u8, SIGINFO_CODE) > 0);
    if !by_kernel {
        report(TAMPER_SIGNAL, ctx.arg::<i32>(0) as u32, 0, 0);
    }
    0
}

/// Signals that were refused, to whomever the process could name the sensor by. The agent knows its own threads.
#[tracepoint]
pub fn sys_exit_signals(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if !is_refusal(result) {
        return 0;
    }
    let arguments = Arguments::current();
    let first = arguments.first() as i32;
    let (what, signal) = match number(&ctx) {
        number::KILL | number::RT_SIGQUEUEINFO => (TAMPER_SIGNAL, arguments.second()),
        number::TGKILL | number::RT_TGSIGQUEUEINFO => (TAMPER_SIGNAL, arguments.third()),
        number::TKILL => {
            // A thread, of which only the agent can tell whose it is.
            report(
                TAMPER_SIGNAL,
                arguments.second() as u32,
                first as u32,
                -result as u32,
            );
            return 0;
        }
        _ => (TAMPER_SIGNAL_BY_DESCRIPTOR, arguments.second()),
    };
    // A group is named by the negative id of its leader.
    let id = first.unsigned_abs();
    if what == TAMPER_SIGNAL_BY_DESCRIPTOR || id == agent_pid() {
        report(what, signal as u32, id, -result as u32);
    }
    0
}

/// Reports what is counted where it repeats.
#[inline(always)]
pub fn report(what: u32, number: u32, id: u32, errno: u32) {
    let object = ObjectKey {
        inode: u64::from(id),
        device: number,
        generation: 0,
    };
    let key = repeats::key(OPERATION_TAMPER + what, object, 0, errno);
    repeats::first_only(Probe::SensorTamper as u32, &key, || {
        submit::<TamperRecord>(Probe::SensorTamper as u32, RECORD_TAMPER, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            fill(record, key, number, id);
            true
        })
    });
}

/// All but a path.
#[inline(always)]
pub fn fill(record: &mut TamperRecord, key: RepeatKey, number: u32, id: u32) {
    record.key = key;
    record.number = number;
    record.id = id;
    nothing_given(&mut record.path);
    record.path.base.length = 0;
    record.path.base.truncated = 0;
    task::snapshot(&raw mut record.task);
}
