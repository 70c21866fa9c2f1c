//! `bpf()` on links, programs and maps of the sensor, told at the exit of the call. They are known by their ids, which the agent puts into a map.
//!
//! What a call names stands in memory that another thread may change meanwhile. So it is looked at as the call begins: in the kernel's own copy, by
//! `fentry/security_bpf`, or, where trampolines are refused, in that memory. A descriptor that the call returned is looked into besides.

use aya_ebpf::{
    helpers::bpf_probe_read_user,
    macros::{fentry, map, tracepoint},
    maps::HashMap,
    programs::{FEntryContext, TracePointContext},
};
use claviger_sensor_common::{
    Calls, OWN_BPF_MAX, TAMPER_IN_FLIGHT_MAX, TAMPER_LINK, TAMPER_MAP, TAMPER_PROGRAM,
};

use crate::{
    arguments::{Arguments, result},
    begun, descriptors,
    offsets::{agent_pid, offset},
    read::{Probed, Read, pointer},
    tamper::report,
    task,
};

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;

/// Links, programs and maps of the sensor: `TAMPER_` value and id.
#[map]
static OWN_BPF: HashMap<[u32; 2], u32> = HashMap::with_max_entries(OWN_BPF_MAX, 0);

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
const BATCH_MAP_AT: u32 = 36;

/// A call under way that names what is the sensor's.
#[repr(C)]
#[derive(Clone, Copy)]
struct Asked {
    what: u32,
    command: u32,
    id: u32,
}

/// By thread, from the beginning of a call to its end.
#[map]
static BPF_ASKED: HashMap<u32, Asked> = HashMap::with_max_entries(TAMPER_IN_FLIGHT_MAX, NO_PREALLOC);

/// `security_bpf(command, attributes, size, …)`: with the kernel's own copy of what is named.
#[fentry(function = "security_bpf")]
pub fn fentry_security_bpf(ctx: FEntryContext) -> i32 {
    // The end of a 32-bit call is not seen: what it asked for would wait for the next call of whoever gets the number of its thread.
    if task::is_in_compat_call() {
        return 0;
    }
    let attributes: *const u8 = ctx.arg(1);
    asked(ctx.arg(0), |at| Some(Probed::read(attributes, at)));
    0
}

/// Where that is not to be had: what is named in memory as the call begins.
#[tracepoint]
pub fn sys_enter_bpf(_ctx: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    asked(arguments.first() as u32, |at| {
        named_in_memory(arguments.second(), at)
    });
    0
}

#[inline(always)]
fn asked(command: u32, named: impl FnOnce(u32) -> Option<u32>) {
    let Some((what, by_id)) = sort(command) else {
        return;
    };
    if task::current_pid() == agent_pid() {
        return;
    }
    begun::begins(Calls::Bpf);
    let Some(named) = named(place(command)) else {
        return;
    };
    let id = if by_id { named } else { id_of(what, named) };
    if is_own(what, id) {
        let asked = Asked { what, command, id };
        // Where there is no room, what stands in memory at the end is looked at.
        let _full = BPF_ASKED.insert(task::current_tid(), asked, 0);
    }
}

#[inline(always)]
fn named_in_memory(attributes: u64, at: u32) -> Option<u32> {
    // SAFETY: the helper copies from any user address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_user((attributes + u64::from(at)) as *const u32) }.ok()
}

#[inline(always)]
fn is_own(what: u32, id: u32) -> bool {
    // SAFETY: the value is not looked at.
    unsafe { OWN_BPF.get([what, id]) }.is_some()
}

/// What a command is about, and whether it names that by its id; nothing for one that neither takes nor changes anything.
#[inline(always)]
fn sort(command: u32) -> Option<(u32, bool)> {
    Some(match command {
        command::MAP_GET_FD_BY_ID => (TAMPER_MAP, true),
        command::PROG_GET_FD_BY_ID => (TAMPER_PROGRAM, true),
        command::LINK_GET_FD_BY_ID => (TAMPER_LINK, true),
        command::LINK_DETACH | command::LINK_UPDATE => (TAMPER_LINK, false),
        command::MAP_UPDATE_ELEM..=command::MAP_DELETE_ELEM
        | command::MAP_LOOKUP_AND_DELETE_ELEM..=command::MAP_FREEZE
        | command::MAP_LOOKUP_AND_DELETE_BATCH..=command::MAP_DELETE_BATCH => (TAMPER_MAP, false),
        _ => return None,
    })
}

/// Where in its attributes a command has what it is about.
#[inline(always)]
fn place(command: u32) -> u32 {
    match command {
        command::MAP_LOOKUP_AND_DELETE_BATCH..=command::MAP_DELETE_BATCH => BATCH_MAP_AT,
        _ => 0,
    }
}

/// `bpf(command, attributes, size)`, of what takes or changes a link, a program or a map.
#[tracepoint]
pub fn sys_exit_bpf(ctx: TracePointContext) -> u32 {
    let began = begun::began(Calls::Bpf);
    let result = result(&ctx);
    let errno = if result < 0 { -result as u32 } else { 0 };
    let arguments = Arguments::current();
    let command = arguments.first() as u32;
    let thread = task::current_tid();
    // SAFETY: a value that only this thread writes.
    if let Some(asked) = unsafe { BPF_ASKED.get(thread) }.copied() {
        let _removed = BPF_ASKED.remove(thread);
        if asked.command == command {
            report(asked.what, asked.command, asked.id, errno);
            return 0;
        }
    }
    let Some((what, by_id)) = sort(command) else {
        return 0;
    };
    if task::current_pid() == agent_pid() || (result >= 0 && !began) {
        return 0;
    }
    let Some(named) = named_in_memory(arguments.second(), place(command)) else {
        return 0;
    };
    let id = if by_id && result >= 0 {
        id_of(what, result as u32)
    } else if by_id {
        named
    } else {
        id_of(what, named)
    };
    if is_own(what, id) {
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
