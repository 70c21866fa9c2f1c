//! The look through all open descriptors (`iter/task_file`, 5.8) and all mapped files (`iter/task_vma`, 5.11) of all processes: what was open
//! before anybody watched, and what was come by in ways that no hook sees. It runs in the agent's own thread, when the agent reads from the
//! iterator. Rings that are held otherwise: [`crate::registered_rings`].
//!
//! A file that a use of the same program run told of already is passed over, and so is one that came by being forked from a process that told:
//! that one has it under the same number, and had it before it created the other.

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_loop, macros::map, maps::Array};
use claviger_sensor_common::{
    HeldRecord, Look, MATCHED_OBJECT, OPERATION_HOLD, OPERATION_OPEN, OPERATION_REACH, Probe, REACHED_BY_AT,
    RECORD_HELD, REQUEST_HELD, RepeatKey,
};

use crate::{
    file_use::{self, FMODE_READ, Found, access},
    fixed_files,
    held_secrets::secret_held,
    holders, labels, numbers,
    offsets::{agent_pid, offset},
    path, process_files,
    read::{Probed, Read, Typed, pointer},
    repeats,
    report::submit,
    task,
};

/// Parents looked at: a program that forks much deeper and has its descriptors from there is told once for itself.
const PARENTS_MAX: u32 = 4;
/// Stands for a file that is mapped.
const NO_DESCRIPTOR: u32 = u32::MAX;
/// Stands for a ring that is held by its registration with a task, which nobody inherits.
pub const REGISTERED: u32 = u32::MAX - 1;

/// What the look under way is.
#[map]
static LOOK: Array<Look> = Array::with_max_entries(1, 0);

/// The look under way, or the last one.
#[inline(always)]
pub fn look() -> Look {
    LOOK.get(0).copied().unwrap_or_default()
}

/// `struct bpf_iter__task_file`
#[repr(C)]
struct OpenFile {
    meta: u64,
    task: *const u8,
    descriptor: u32,
    padding: u32,
    file: *const u8,
}

/// `struct bpf_iter__task_vma`
#[repr(C)]
struct Area {
    meta: u64,
    task: *const u8,
    area: *const u8,
}

/// Each open descriptor of each process.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn open_descriptors(context: *const OpenFile) -> i32 {
    // SAFETY: the verifier knows the context of the iterator, and admits these loads from it.
    let (task, descriptor, file) = unsafe {
        (
            (&raw const (*context).task).read_volatile(),
            (&raw const (*context).descriptor).read_volatile(),
            (&raw const (*context).file).read_volatile(),
        )
    };
    // The last call of a look has neither.
    if !task.is_null() && !file.is_null() {
        held(task, file, descriptor);
    }
    0
}

/// Each mapping of each process.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_vma")]
extern "C" fn mapped_files(context: *const Area) -> i32 {
    // SAFETY: as above.
    let (task, area) = unsafe {
        (
            (&raw const (*context).task).read_volatile(),
            (&raw const (*context).area).read_volatile(),
        )
    };
    if task.is_null() || area.is_null() {
        return 0;
    }
    let file = pointer::<Typed>(area, offset!(area_file));
    if !file.is_null() {
        held(task, file, NO_DESCRIPTOR);
    }
    0
}

/// A task has a file: dismissed here unless it, or its name in its directory, is known.
#[inline(always)]
fn held(task: *const u8, file: *const u8, descriptor: u32) {
    if Typed::read::<u32>(task, offset!(task_tgid)) == agent_pid() {
        labels::answer_seen(REQUEST_HELD);
        return;
    }
    let (part, _device) = process_files::part::<Typed>(file);
    if part != 0 {
        let file = numbers::untyped(file);
        secret_held(numbers::untyped(task), file, part, descriptor, file);
        return;
    }
    let found = file_use::may_be_known::<Typed>(file);
    if found != 0 {
        let file = numbers::untyped(file);
        known_held(numbers::untyped(task), file, found, descriptor, file);
    }
    let ring = fixed_files::ring(file);
    if ring != 0 {
        ring_held(numbers::untyped(task), numbers::untyped(file), ring, descriptor);
    }
}

/// Who has a ring, and under which descriptor.
struct HeldRing {
    task: u64,
    file: u64,
    ring: u64,
    descriptor: u32,
}

/// A task has a ring: what is open in it is open to the task.
#[inline(always)]
fn ring_held(task: u64, file: u64, ring: u64, descriptor: u32) {
    let mut held = HeldRing {
        task,
        file,
        ring,
        descriptor,
    };
    // SAFETY: the callback takes a number and the pointer given here, which outlives the call.
    unsafe {
        bpf_loop(
            fixed_files::places(Probe::OpenDescriptors, ring),
            next_held as *const () as *mut c_void,
            (&raw mut held).cast(),
            0,
        );
    }
}

extern "C" fn next_held(place: u64, held: *mut HeldRing) -> i64 {
    // SAFETY: what [`ring_held`] keeps on its stack.
    let held = unsafe { &*held };
    let file = fixed_files::file(held.ring, place as u32);
    if !file.is_null() {
        in_ring(held.task, file, held.descriptor, held.file);
    }
    0
}

/// A task has a file open in a ring.
#[inline(always)]
pub fn in_ring(task: u64, file: *const u8, descriptor: u32, ring: u64) {
    let (part, _device) = process_files::part::<Probed>(file);
    if part != 0 {
        secret_held(task, file as u64, part, descriptor, ring);
        return;
    }
    let found = file_use::may_be_known::<Probed>(file);
    if found != 0 {
        known_held(task, file as u64, found, descriptor, ring);
    }
}

/// What is known of the file that is looked at. In a map, for the stack has no room for it below a ring; only the thread that looks uses it. Of what is no
/// credential but a part of a process, or of all: what it is counted under, and as the label's id which part, matched by none of the `MATCHED_` values.
#[map]
pub static KNOWN_HELD: Array<Found> = Array::with_max_entries(1, 0);

/// As [`held`], once the prefilter has let it through; see [`file_use::known`]. `holder` is what the descriptor stands for: the file, or the ring
/// that has it open.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn known_held(task: u64, file: u64, found: u32, descriptor: u32, holder: u64) -> u32 {
    if !is_ending(task) && look_up_held(file, found) != 0 && is_told(task, holder, file, descriptor) == 0 {
        report_held(task, file);
    }
    0
}

/// Whether the last thread of its process has come to its end: that was told, and with it what is kept of the process is let go. Its files are closed later.
#[inline(always)]
pub fn is_ending(task: u64) -> bool {
    let signal = pointer::<Probed>(task as *const u8, offset!(task_signal));
    Probed::read::<u32>(signal, offset!(signal_live)) == 0
}

/// Finds out what is known of a file that may do more than name one; 0 where nothing is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_up_held(file: u64, found: u32) -> u32 {
    let mode: u32 = Probed::read(file as *const u8, offset!(file_mode));
    if !file_use::is_for_use(mode) {
        return 0;
    }
    let mut it = Found::NOTHING;
    let Some(known) = KNOWN_HELD.get_ptr_mut(0) else {
        return 0;
    };
    if file_use::look_up_to(file, found | file_use::writes(mode), &raw mut it) == 0 {
        return 0;
    }
    // SAFETY: an element of an array, which only the thread that looks uses.
    unsafe { *known = it };
    1
}

/// Whether a use of this file by this program run was told: of its own, or of a parent from which it came by being forked, as `holder` did under
/// the same number. Global as [`file_use::known`] is.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn is_told(task: u64, holder: u64, file: u64, descriptor: u32) -> u32 {
    let Some(known) = KNOWN_HELD.get(0) else { return 0 };
    let task = task as *const u8;
    let holder = holder as *const u8;
    let object = known.object;
    let part = if known.matched == 0 { known.label.id } else { 0 };
    let access = access(Probed::read(file as *const u8, offset!(file_mode))) | part << PART_AT;
    let (inode, numbers) = (object.inode, numbers::numbers(object));
    let exec_id = task::exec_id::<Probed>(task);
    let mut at = pointer::<Probed>(task, offset!(task_group_leader));
    // What a parent took up after it had created this one, this one has not inherited.
    let mut until = u64::MAX;
    for parents in 0..=PARENTS_MAX {
        if is_told_of(at as u64, inode, numbers, access, until) != 0 {
            if parents > 0 {
                // The parent may end, and its uses be forgotten, while this one lives on.
                let own = task::identify::<Probed>(task);
                let mut key = repeats::key_of(own, exec_id, OPERATION_HOLD, object, 0, 0);
                done(&mut key, OPERATION_HOLD, access);
                repeats::told_since(&key, own.start_boottime_ns);
            }
            return 1;
        }
        // What it had open when it started its program was told then.
        if task::has_run_another(at) {
            return 0;
        }
        until = task::created_boot_ns(at);
        at = pointer::<Probed>(at, offset!(task_real_parent));
        if task::exec_id::<Probed>(at) != exec_id || !has_open(at, (descriptor, holder)) {
            return 0;
        }
    }
    0
}

/// Where in what [`is_told_of`] is told of a use stands which part of a process, or of all, it is; behind what the descriptor can do.
const PART_AT: u32 = 8;

/// Puts into a key how a process came to what it has.
#[inline(always)]
fn done(key: &mut RepeatKey, operation: u32, access: u32) {
    let part = access >> PART_AT;
    let access = access & ((1 << PART_AT) - 1);
    if part == 0 {
        (key.operation, key.access) = (operation, access);
        return;
    }
    let by = if operation == OPERATION_OPEN { 0 } else { operation };
    (key.operation, key.access) = (OPERATION_REACH + part, access | by << REACHED_BY_AT);
}

/// Whether a use of this file by the program run of this very process was told, and was not later than that (nanoseconds since boot). Global: the loop over parents is then
/// short to the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn is_told_of(process: u64, inode: u64, numbers: u64, access: u32, until_boot_ns: u64) -> u32 {
    let process = process as *const u8;
    let mut key = repeats::key_of(
        task::identify::<Probed>(process),
        task::exec_id::<Probed>(process),
        OPERATION_OPEN,
        numbers::object(inode, numbers),
        0,
        0,
    );
    for operation in OPERATION_OPEN..=OPERATION_HOLD {
        done(&mut key, operation, access);
        if repeats::is_told(&key, until_boot_ns) {
            return 1;
        }
    }
    0
}

/// Whether a process has a file under this number; of mapped files, which have none, it is taken to be so.
#[inline(always)]
pub fn has_open(process: *const u8, (descriptor, file): (u32, *const u8)) -> bool {
    if descriptor == NO_DESCRIPTOR {
        return true;
    }
    let table = pointer::<Probed>(
        pointer::<Probed>(process, offset!(task_files)),
        offset!(files_fdt),
    );
    let files = pointer::<Probed>(table, offset!(fdtable_fd));
    descriptor < Probed::read(table, offset!(fdtable_max))
        && pointer::<Probed>(files.wrapping_add(descriptor as usize * 8), 0) == file
}

/// Reports what was found out last. Global as [`file_use::report_use`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn report_held(task: u64, file: u64) -> u32 {
    let Some(known) = KNOWN_HELD.get(0) else { return 0 };
    let task = task as *const u8;
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    let Found {
        object,
        label,
        matched,
    } = *known;
    let process = task::identify::<Probed>(task);
    let key = repeats::key_of(
        process,
        task::exec_id::<Probed>(task),
        OPERATION_HOLD,
        object,
        access(mode),
        0,
    );
    let look = look();
    // The look before would have found it, if the file was known before that one began.
    let was_looked_for = matched == MATCHED_OBJECT && label.looks_since(look.number) > 1;
    let since_boot_ns = if was_looked_for && look.before_boot_ns > process.start_boottime_ns {
        look.before_boot_ns
    } else {
        process.start_boottime_ns
    };
    if mode & FMODE_READ != 0 {
        holders::holds(task as u64);
    }
    let submitted = submit::<HeldRecord>(Probe::OpenDescriptors as u32, RECORD_HELD, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        record.key = key;
        record.label = label;
        record.matched = matched;
        record.pre_existing = u32::from(look.number <= 1);
        record.since_boot_ns = since_boot_ns;
        task::snapshot_of_another(numbers::untyped(task), &raw mut record.task);
        path::walk_below(
            &path::root::<Probed>(task),
            &path::of_file(file),
            &mut record.path,
        );
        true
    });
    if submitted {
        repeats::told_since(&key, since_boot_ns);
    }
    0
}
