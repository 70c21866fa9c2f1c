//! Mounts over the sensor's files, told at the exits of the calls, with the path that was given. What lies at the place of a mount is known by the object
//! where `fentry/security_sb_mount` and `fentry/security_move_mount` see it, whatever path or mount namespace leads there; elsewhere the agent
//! looks up what the path leads to.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel,
    macros::{fentry, map, tracepoint},
    maps::HashMap,
    programs::{FEntryContext, TracePointContext},
};
use claviger_sensor_common::{
    COVERS_OWN, Calls, GivenPath, OPERATION_TAMPER, OWN_PLACES_MAX, ObjectKey, Probe, RECORD_TAMPER,
    TAMPER_IN_FLIGHT_MAX, TAMPER_MOUNT, TamperRecord,
};

use crate::{
    arguments::{Arguments, number, result},
    attempts::is_refusal,
    begun,
    given::{self, Given},
    labels,
    names_asked::NO_PATH,
    offsets::{agent_pid, offset},
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

/// What a new entry begins with.
#[unsafe(no_mangle)]
static NO_MOUNT: GivenPath = NO_PATH;

/// Paths of mounts under way, by thread: as they are given, for another thread can write over them meanwhile.
#[map]
static MOUNTS_NAMED: HashMap<u32, GivenPath> = HashMap::with_max_entries(TAMPER_IN_FLIGHT_MAX, NO_PREALLOC);

/// Where `mount(source, target, type, flags, data)` or `move_mount(from, from_path, to, to_path, flags)` is to mount something; nothing where it only changes
/// a mount.
#[inline(always)]
fn target(call: i64, arguments: &Arguments) -> Option<Given> {
    if call != number::MOUNT {
        return Some(Given::at(arguments.third(), arguments.fourth()));
    }
    let flags = arguments.fourth();
    let flags = if flags & MS_MAGIC_MASK == MS_MAGIC {
        flags & !MS_MAGIC_MASK
    } else {
        flags
    };
    (flags & (MS_REMOUNT | MS_PROPAGATION) == 0).then(|| Given::here(arguments.second()))
}

/// A mount is asked for.
#[tracepoint]
pub fn sys_enter_mounts(ctx: TracePointContext) -> u32 {
    begun::begins(Calls::Mounts);
    if task::current_pid() != agent_pid()
        && let Some(given) = target(number(&ctx), &Arguments::current())
    {
        keep(given);
    }
    0
}

/// What finds no room, or cannot be read yet, is read when the call has ended.
#[inline(always)]
fn keep(given: Given) {
    let thread = task::current_tid();
    let nothing: &GivenPath = &NO_MOUNT;
    if MOUNTS_NAMED.insert(thread, nothing, 0).is_err() {
        return;
    }
    let Some(path) = MOUNTS_NAMED.get_ptr_mut(thread) else {
        return;
    };
    // SAFETY: a value of the map, of this thread alone.
    if !given::fill::<true>(unsafe { &mut *path }, given) {
        let _there = MOUNTS_NAMED.remove(thread);
    }
}

/// Of both calls, allowed or refused.
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
    let is_told = (result >= 0 && began) || (result < 0 && is_refusal(result));
    if is_told
        && task::current_pid() != agent_pid()
        && let Some(given) = target(number(&ctx), &Arguments::current())
    {
        let errno = if result < 0 { -result as u32 } else { 0 };
        tell_mount(covers | errno << 16, given.directory, given.text);
    }
    // It may not have been kept.
    let _not_there = MOUNTS_NAMED.remove(thread);
    0
}

/// Tells a mount: what it covers, and above it the errno. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell_mount(covers: u32, directory: i32, text: u64) -> u32 {
    let (covers, errno) = (covers & 0xffff, covers >> 16);
    let kept = MOUNTS_NAMED.get_ptr(task::current_tid());
    submit::<TamperRecord>(Probe::SensorTamper as u32, RECORD_TAMPER, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        let key = repeats::key(OPERATION_TAMPER + TAMPER_MOUNT, NOTHING, 0, errno);
        fill(record, key, covers, 0);
        if let Some(kept) = kept {
            let to = (&raw mut record.path).cast();
            // SAFETY: the helper copies from any address and reports a fault instead of taking it.
            return unsafe { bpf_probe_read_kernel(to, size_of::<GivenPath>() as u32, kept.cast()) } == 0;
        }
        given::fill::<true>(&mut record.path, Given { directory, text })
    }) as u32
}

const NOTHING: ObjectKey = ObjectKey {
    inode: 0,
    device: 0,
    generation: 0,
};
