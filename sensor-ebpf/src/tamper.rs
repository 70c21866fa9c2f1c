//! What is done to the sensor itself:
//!
//! - signals, by `tp_btf/signal_generate`, whoever sends them and by whichever call; refused ones by the exits of the calls
//! - `bpf()` on its links, programs and maps, by the exit of the call. They are known by their ids, which the agent puts into a map. A
//!   descriptor that the call returned is looked into; what a call names in memory may be changed by another thread before it is read here.
//! - mounts, by the exits of the calls: the agent knows what they cover
//!
//! Its files are labelled, and opens of them are seen as those of credentials are.

use aya_ebpf::{
    helpers::{bpf_probe_read_user, bpf_probe_read_user_str_bytes},
    macros::{btf_tracepoint, map, tracepoint},
    maps::HashMap,
    programs::{BtfTracePointContext, TracePointContext},
};
use claviger_sensor_common::{
    OPERATION_TAMPER, OWN_BPF_MAX, ObjectKey, Probe, RECORD_TAMPER, REQUEST_SIGNAL, RepeatKey, TAMPER_LINK,
    TAMPER_MAP, TAMPER_MOUNT, TAMPER_PROGRAM, TAMPER_SIGNAL, TAMPER_SIGNAL_BY_DESCRIPTOR, TamperRecord,
};

use crate::{
    arguments::{Arguments, number, result},
    attempts::{AT_FDCWD, is_refusal},
    descriptors, labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, Read, Typed, pointer},
    repeats,
    report::submit,
    task,
};

/// Links, programs and maps of the sensor: `TAMPER_` value and id.
#[map]
static OWN_BPF: HashMap<[u32; 2], u32> = HashMap::with_max_entries(OWN_BPF_MAX, 0);

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

/// Commands of include/uapi/linux/bpf.h.
mod command {
    pub const MAP_UPDATE_ELEM: u32 = 2;
    pub const MAP_DELETE_ELEM: u32 = 3;
    pub const PROG_GET_FD_BY_ID: u32 = 13;
    pub const MAP_GET_FD_BY_ID: u32 = 14;
    pub const MAP_LOOKUP_AND_DELETE_ELEM: u32 = 21;
    pub const MAP_FREEZE: u32 = 22;
    pub const MAP_LOOKUP_AND_DELETE_BATCH: u32 = 25;
    pub const MAP_DELETE_BATCH: u32 = 27;
    pub const LINK_UPDATE: u32 = 29;
    pub const LINK_GET_FD_BY_ID: u32 = 30;
    pub const LINK_DETACH: u32 = 34;
}

/// Where the batch commands have the descriptor of the map; all others begin with what they are about.
const BATCH_MAP_AT: u64 = 36;

/// `bpf(command, attributes, size)`, of what takes or changes a link, a program or a map.
#[tracepoint]
pub fn sys_exit_bpf(ctx: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    let command = arguments.first() as u32;
    let (what, by_id) = match command {
        command::MAP_GET_FD_BY_ID => (TAMPER_MAP, true),
        command::PROG_GET_FD_BY_ID => (TAMPER_PROGRAM, true),
        command::LINK_GET_FD_BY_ID => (TAMPER_LINK, true),
        command::LINK_DETACH | command::LINK_UPDATE => (TAMPER_LINK, false),
        command::MAP_UPDATE_ELEM..=command::MAP_DELETE_ELEM
        | command::MAP_LOOKUP_AND_DELETE_ELEM..=command::MAP_FREEZE
        | command::MAP_LOOKUP_AND_DELETE_BATCH..=command::MAP_DELETE_BATCH => (TAMPER_MAP, false),
        _ => return 0,
    };
    if task::current_pid() == agent_pid() {
        return 0;
    }
    let at = match command {
        command::MAP_LOOKUP_AND_DELETE_BATCH..=command::MAP_DELETE_BATCH => BATCH_MAP_AT,
        _ => 0,
    };
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    let Ok(named) = (unsafe { bpf_probe_read_user((arguments.second() + at) as *const u32) }) else {
        return 0;
    };
    let result = result(&ctx);
    let id = if by_id && result >= 0 {
        id_of(what, result as u32)
    } else if by_id {
        named
    } else {
        id_of(what, named)
    };
    // SAFETY: the value is not looked at.
    if unsafe { OWN_BPF.get([what, id]) }.is_some() {
        let errno = if result < 0 { -result as u32 } else { 0 };
        report(what, command, id, errno);
    }
    0
}

/// The id of the link, program or map behind a descriptor. What is behind another sort of descriptor is read all the same, and is no id.
#[inline(always)]
fn id_of(what: u32, descriptor: u32) -> u32 {
    let object = pointer::<Probed>(descriptors::checked_file(descriptor), offset!(file_private));
    match what {
        TAMPER_MAP => Probed::read(object, offset!(bpf_map_id)),
        TAMPER_PROGRAM => Probed::read(
            pointer::<Probed>(object, offset!(bpf_program_aux)),
            offset!(bpf_aux_id),
        ),
        _ => Probed::read(object, offset!(bpf_link_id)),
    }
}

/// Reports what is counted where it repeats.
#[inline(always)]
fn report(what: u32, number: u32, id: u32, errno: u32) {
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
fn fill(record: &mut TamperRecord, key: RepeatKey, number: u32, id: u32) {
    record.key = key;
    record.number = number;
    record.id = id;
    record.given_length = 0;
    record.given_truncated = 0;
    record.base.length = 0;
    record.base.truncated = 0;
    task::snapshot(&raw mut record.task);
}

/// include/uapi/linux/mount.h: flags that change a mount instead of making one, and the magic that old programs put above them.
const MS_REMOUNT: u64 = 1 << 5;
const MS_PROPAGATION: u64 = 0b1111 << 17;
const MS_MAGIC: u64 = 0xc0ed_0000;
const MS_MAGIC_MASK: u64 = 0xffff_0000;

/// `mount(source, target, type, flags, data)` and `move_mount(from, from_path, to, to_path, flags)`, allowed or refused.
#[tracepoint]
pub fn sys_exit_mounts(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if (result < 0 && !is_refusal(result)) || task::current_pid() == agent_pid() {
        return 0;
    }
    let arguments = Arguments::current();
    let (directory, given) = if number(&ctx) == number::MOUNT {
        let flags = arguments.fourth();
        let flags = if flags & MS_MAGIC_MASK == MS_MAGIC {
            flags & !MS_MAGIC_MASK
        } else {
            flags
        };
        if flags & (MS_REMOUNT | MS_PROPAGATION) != 0 {
            return 0;
        }
        (AT_FDCWD, arguments.second())
    } else {
        (arguments.third() as i32, arguments.fourth())
    };
    let errno = if result < 0 { -result as u32 } else { 0 };
    submit::<TamperRecord>(Probe::SensorTamper as u32, RECORD_TAMPER, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        let key = repeats::key(OPERATION_TAMPER + TAMPER_MOUNT, NOTHING, 0, errno);
        fill(record, key, 0, 0);
        // SAFETY: the helper copies a string from any user address and reports a fault instead of taking it.
        let read = unsafe { bpf_probe_read_user_str_bytes(given as *const u8, &mut record.given) };
        let Ok(length) = read.map(<[u8]>::len) else {
            return false;
        };
        record.given_length = length as u32;
        record.given_truncated = u32::from(length + 1 >= record.given.len());
        if record.given[0] != b'/' {
            let base = if directory == AT_FDCWD {
                path::working_directory()
            } else {
                path::of_file(descriptors::checked_file(directory as u32))
            };
            path::walk(&base, &mut record.base);
        }
        true
    });
    0
}

const NOTHING: ObjectKey = ObjectKey {
    inode: 0,
    device: 0,
    generation: 0,
};
