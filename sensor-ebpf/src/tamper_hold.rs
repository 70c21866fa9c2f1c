//! What starves the sensor, or holds it still, without a signal: limits set on it, how it is scheduled, cgroups it is moved to or frozen with, and whom
//! the kernel ends first when memory runs out. Where the kernel says whom such a thing was done to, that is looked at, and otherwise what the call
//! named.
//!
//! The files of its cgroup that bound what it may use are labelled as its own.

use aya_ebpf::{
    helpers::{bpf_probe_read_kernel_str_bytes, generated::bpf_get_current_cgroup_id},
    macros::{btf_tracepoint, map, tracepoint},
    maps::Array,
    programs::{BtfTracePointContext, TracePointContext},
};
use claviger_sensor_common::{
    Calls, MISSING, OPERATION_TAMPER, ObjectKey, Probe, RECORD_TAMPER, TAMPER_CGROUP, TAMPER_FREEZE,
    TAMPER_LIMIT, TAMPER_OOM_SCORE, TAMPER_SCHEDULING, TAMPER_SCHEDULING_GROUP, TAMPER_SCHEDULING_USER,
    TamperRecord,
};

use crate::{
    agent_threads,
    arguments::{Arguments, number, result},
    attempts::is_refusal,
    begun,
    offsets::{agent_pid, offset},
    read::{Probed, Read, Typed, pointer},
    repeats,
    report::submit,
    tamper::{fill, report},
    task, user_ids,
};

/// include/uapi/linux/resource.h; in include/uapi/linux/ioprio.h each is one more.
const PRIO_PROCESS: u64 = 0;
const PRIO_PGRP: u64 = 1;
const PRIO_USER: u64 = 2;
/// Where among a process's ids, each a pointer, its group's is: PIDTYPE_PGID.
const GROUP: u32 = 2 * 8;

/// The sensor's cgroup, by its v2 id; 0 until it has been seen to act.
#[map]
static AGENT_CGROUP: Array<u64> = Array::with_max_entries(1, 0);

/// The sensor's process group, by the address of the kernel's `struct pid`; 0 until it has been seen to act.
#[map]
static AGENT_GROUP: Array<u64> = Array::with_max_entries(1, 0);

/// The agent acts: it is in this cgroup, and in this process group.
#[inline(always)]
pub fn learn_where() {
    // SAFETY: the helper only returns a number.
    set_cgroup(unsafe { bpf_get_current_cgroup_id() });
    if let Some(own) = AGENT_GROUP.get_ptr_mut(0) {
        // SAFETY: eight aligned bytes of an array.
        unsafe { own.write(current_group()) };
    }
}

/// The process group of the current task; 0 where this kernel does not show it.
#[inline(always)]
fn current_group() -> u64 {
    if offset!(signal_pids) == MISSING {
        return 0;
    }
    let signal = pointer::<Typed>(task::current(), offset!(task_signal));
    Probed::read(signal, offset!(signal_pids) + GROUP)
}

#[inline(always)]
fn set_cgroup(id: u64) {
    if let Some(own) = AGENT_CGROUP.get_ptr_mut(0) {
        // SAFETY: eight aligned bytes of an array.
        unsafe { own.write(id) };
    }
}

/// One of these is asked for.
#[tracepoint]
pub fn sys_enter_holds(_ctx: TracePointContext) -> u32 {
    begun::begins(Calls::Holds);
    0
}

/// `prlimit64`, `sched_set{scheduler,param,attr,affinity}`, `setpriority` and `ioprio_set`, of a thread of the sensor by another process, or of all of a
/// process group or a user.
#[tracepoint]
pub fn sys_exit_holds(ctx: TracePointContext) -> u32 {
    let began = begun::began(Calls::Holds);
    let result = result(&ctx);
    if (result < 0 && !is_refusal(result)) || (result >= 0 && !began) {
        return 0;
    }
    let arguments = Arguments::current();
    let first = arguments.first();
    let errno = if result < 0 { -result as u32 } else { 0 };
    let call = number(&ctx);
    // The kernel takes an int, whatever the upper half of the register holds.
    let whose = match call {
        number::SETPRIORITY => u64::from(first as u32),
        number::IOPRIO_SET => u64::from((first as u32).wrapping_sub(1)),
        _ => PRIO_PROCESS,
    };
    if whose != PRIO_PROCESS {
        of_many(whose, call as u32, arguments.second() as u32, errno);
        return 0;
    }
    let (what, number, id) = match call {
        // Limits that are only asked for.
        number::PRLIMIT64 if arguments.third() == 0 => return 0,
        number::PRLIMIT64 => (TAMPER_LIMIT, arguments.second() as u32, first as u32),
        number::SETPRIORITY | number::IOPRIO_SET => {
            (TAMPER_SCHEDULING, call as u32, arguments.second() as u32)
        }
        _ => (TAMPER_SCHEDULING, call as u32, first as u32),
    };
    if id == 0 || !agent_threads::is_named(id) || task::current_pid() == agent_pid() {
        return 0;
    }
    report(what, number, id, errno);
    0
}

/// Done to all of a process group or of a user, named by a number or the caller's own. Whether the sensor is among them only the agent can tell, but of
/// the caller's own group. The kernel goes through those that the caller can see, but for its own group.
#[inline(always)]
fn of_many(whose: u64, call: u32, id: u32, errno: u32) {
    let is_seen = task::is_in_first_pid_namespace();
    let (what, id) = match whose {
        PRIO_PGRP if id == 0 && is_in_own_group() || id != 0 && is_seen => (TAMPER_SCHEDULING_GROUP, id),
        PRIO_USER if is_seen => (TAMPER_SCHEDULING_USER, user_ids::meant(id)),
        _ => return,
    };
    if task::current_pid() != agent_pid() {
        report(what, call, id, errno);
    }
}

/// Whether the current task is in the sensor's process group.
#[inline(always)]
fn is_in_own_group() -> bool {
    let group = current_group();
    group != 0 && AGENT_GROUP.get(0).is_some_and(|own| *own == group)
}

/// `oom_score_adj_update(task)`: the current task has written it.
#[btf_tracepoint(function = "oom_score_adj_update")]
pub fn oom_score_adj_update(ctx: BtfTracePointContext) -> i32 {
    let target: *const u8 = ctx.arg(0);
    if Typed::read::<u32>(target, offset!(task_tgid)) != agent_pid() || task::current_pid() == agent_pid() {
        return 0;
    }
    let signal = pointer::<Typed>(target, offset!(task_signal));
    let score: i16 = Probed::read(signal, offset!(signal_oom_score));
    report(TAMPER_OOM_SCORE, i32::from(score) as u32, 0, 0);
    0
}

/// `cgroup_attach_task(cgroup, path, task, all_threads)`: the current task moves it, in a hierarchy of v1 or of v2.
#[btf_tracepoint(function = "cgroup_attach_task")]
pub fn cgroup_attach_task(ctx: BtfTracePointContext) -> i32 {
    let target: *const u8 = ctx.arg(2);
    if Typed::read::<u32>(target, offset!(task_tgid)) != agent_pid() {
        return 0;
    }
    set_cgroup(task::cgroup_id::<Typed>(target));
    if task::current_pid() != agent_pid() {
        report_path(TAMPER_CGROUP, ctx.arg::<*const u8>(1));
    }
    0
}

/// `cgroup_freeze(cgroup, path)`: told of each cgroup below the one that is frozen.
#[btf_tracepoint(function = "cgroup_freeze")]
pub fn cgroup_freeze(ctx: BtfTracePointContext) -> i32 {
    let cgroup: *const u8 = ctx.arg(0);
    let id: u64 = Probed::read(pointer::<Probed>(cgroup, offset!(cgroup_node)), offset!(node_id));
    if AGENT_CGROUP.get(0).is_some_and(|own| *own == id) && task::current_pid() != agent_pid() {
        report_path(TAMPER_FREEZE, ctx.arg::<*const u8>(1));
    }
    0
}

/// Reports what has the path of a cgroup with it. It is not counted where it repeats.
#[inline(always)]
fn report_path(what: u32, path: *const u8) {
    let key = repeats::key(OPERATION_TAMPER + what, ObjectKey::default(), 0, 0);
    submit::<TamperRecord>(Probe::SensorTamper as u32, RECORD_TAMPER, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        fill(record, key, 0, 0);
        // SAFETY: the helper copies a string from any address and reports a fault instead of taking it.
        let Ok(given) = (unsafe { bpf_probe_read_kernel_str_bytes(path, &mut record.path.given) }) else {
            return false;
        };
        record.path.given_length = given.len() as u32;
        true
    });
}
