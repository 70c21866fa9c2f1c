//! Mounts over the sensor's files, told at the exits of the calls, with the path that was given. What lies at the place of a mount is known by the object
//! where `fentry/security_sb_mount` and `fentry/security_move_mount` see it, whatever path or mount namespace leads there; elsewhere the agent
//! looks up what the path leads to.

use aya_ebpf::{
    helpers::bpf_probe_read_user_str_bytes,
    macros::{fentry, map, tracepoint},
    maps::HashMap,
    programs::{FEntryContext, TracePointContext},
};
use claviger_sensor_common::{
    COVERS_OWN, Calls, OPERATION_TAMPER, OWN_PLACES_MAX, ObjectKey, Probe, RECORD_TAMPER,
    TAMPER_IN_FLIGHT_MAX, TAMPER_MOUNT, TamperRecord,
};

use crate::{
    arguments::{Arguments, number, result},
    attempts::{AT_FDCWD, is_refusal},
    begun, descriptors, labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, Typed, pointer},
    repeats,
    report::submit,
    tamper::fill,
    task,
};

/// `BPF_F_NO_PREALLOC`: memory is taken as entries are made.
const NO_PREALLOC: u32 = 1;

/// Files and directories of the sensor, and the directories above them: a `COVERS_` value for each.
#[map]
static OWN_PLACES: HashMap<ObjectKey, u32> = HashMap::with_max_entries(OWN_PLACES_MAX, NO_PREALLOC);

/// What a mount under way would cover, by thread, from where the kernel has found the place to the end of the call.
#[map]
static MOUNTS_ASKED: HashMap<u32, u32> = HashMap::with_max_entries(TAMPER_IN_FLIGHT_MAX, NO_PREALLOC);

/// What the agent opens is a place of its own, or lies above one.
#[inline(always)]
pub fn learn(place: &ObjectKey, covers: u32) -> bool {
    OWN_PLACES.insert(place, covers, 0).is_ok()
}

/// `security_sb_mount(device, path, type, flags, data)`
#[fentry(function = "security_sb_mount")]
pub fn fentry_security_sb_mount(ctx: FEntryContext) -> i32 {
    asked(ctx.arg(1));
    0
}

/// `security_move_mount(from, to)`: what has been mounted nowhere yet, too.
#[fentry(function = "security_move_mount")]
pub fn fentry_security_move_mount(ctx: FEntryContext) -> i32 {
    asked(ctx.arg(1));
    0
}

/// `place` is a `struct path`.
#[inline(always)]
fn asked(place: *const u8) {
    if task::current_pid() == agent_pid() {
        return;
    }
    let dentry = pointer::<Typed>(place, offset!(path_dentry));
    let covers = match covered(dentry) {
        // In a directory of its own every file is.
        0 => covered(pointer::<Probed>(dentry, offset!(dentry_parent))) & COVERS_OWN,
        covers => covers,
    };
    if covers != 0 {
        // Where there is no room, the agent looks up the path.
        let _full = MOUNTS_ASKED.insert(task::current_tid(), covers, 0);
    }
}

#[inline(always)]
fn covered(dentry: *const u8) -> u32 {
    let place = labels::key::<Probed>(pointer::<Probed>(dentry, offset!(dentry_inode)));
    // SAFETY: four bytes, replaced as a whole.
    unsafe { OWN_PLACES.get(place) }.copied().unwrap_or_default()
}

/// include/uapi/linux/mount.h: flags that change a mount instead of making one, and the magic that old programs put above them.
const MS_REMOUNT: u64 = 1 << 5;
const MS_PROPAGATION: u64 = 0b1111 << 17;
const MS_MAGIC: u64 = 0xc0ed_0000;
const MS_MAGIC_MASK: u64 = 0xffff_0000;

/// A mount is asked for.
#[tracepoint]
pub fn sys_enter_mounts(_ctx: TracePointContext) -> u32 {
    begun::begins(Calls::Mounts, Probe::SensorTamper);
    0
}

/// `mount(source, target, type, flags, data)` and `move_mount(from, from_path, to, to_path, flags)`, allowed or refused.
#[tracepoint]
pub fn sys_exit_mounts(ctx: TracePointContext) -> u32 {
    let thread = task::current_tid();
    // SAFETY: a value that only this thread writes.
    let covers = unsafe { MOUNTS_ASKED.get(thread) }.copied().unwrap_or_default();
    if covers != 0 {
        let _removed = MOUNTS_ASKED.remove(thread);
    }
    let began = begun::began(Calls::Mounts);
    let result = result(&ctx);
    if (result < 0 && !is_refusal(result)) || (result >= 0 && !began) || task::current_pid() == agent_pid() {
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
        fill(record, key, covers, 0);
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
