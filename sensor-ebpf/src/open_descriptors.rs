//! The look through all open descriptors (`iter/task_file`, 5.8) and all mapped files (`iter/task_vma`, 5.11) of all processes: what was open
//! before anybody watched, and what was come by in ways that no hook sees. It runs in the agent's own thread, when the agent reads from the
//! iterator.
//!
//! A file that a use of the same program run told of already is passed over, and so is one that came by being forked from a process that told:
//! that one has it under the same number.

use aya_ebpf::{macros::map, maps::Array};
use claviger_sensor_common::{
    HeldRecord, Look, MATCHED_OBJECT, OPERATION_HOLD, OPERATION_OPEN, Probe, RECORD_HELD, REQUEST_HELD,
};

use crate::{
    file_use::{self, FMODE_READ, access},
    holders, labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, Read, Typed, pointer},
    repeats,
    report::submit,
    task,
};

/// Parents looked at: a program that forks much deeper and has its descriptors from there is told once for itself.
const PARENTS_MAX: u32 = 4;
/// Stands for a file that is mapped.
const NO_DESCRIPTOR: u32 = u32::MAX;

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
    let found = file_use::may_be_known::<Typed>(file);
    if found != 0 {
        known_held(
            file_use::untyped(task),
            file_use::untyped(file),
            found,
            descriptor,
        );
    }
}

/// As [`held`], once the prefilter has let it through; see [`file_use::known`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn known_held(task: u64, file: u64, found: u32, descriptor: u32) -> u32 {
    let task = task as *const u8;
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    if !file_use::is_for_use(mode) {
        return 0;
    }
    let Some((object, label, matched)) = file_use::look_up(file, found, mode) else {
        return 0;
    };
    let numbers = file_use::numbers(object);
    if is_told(task as u64, file as u64, object.inode, numbers, descriptor) == 0 {
        let label = file_use::matched_bits(label, matched);
        report_held(task as u64, file as u64, object.inode, numbers, label);
    }
    0
}

/// Whether a use of this file by this program run was told: of its own, or of a parent from which it came by being forked. Global as
/// [`file_use::known`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_told(task: u64, file: u64, inode: u64, numbers: u64, descriptor: u32) -> u32 {
    let task = task as *const u8;
    let file = file as *const u8;
    let object = file_use::object(inode, numbers);
    let access = access(Probed::read(file, offset!(file_mode)));
    let exec_id = task::exec_id::<Probed>(task);
    let mut at = pointer::<Probed>(task, offset!(task_group_leader));
    for parents in 0..=PARENTS_MAX {
        if is_told_of(at as u64, inode, numbers, access) != 0 {
            if parents > 0 {
                // The parent may end, and its uses be forgotten, while this one lives on.
                let own = task::identify::<Probed>(task);
                repeats::told(&repeats::key_of(own, exec_id, OPERATION_HOLD, object, access, 0));
            }
            return 1;
        }
        at = pointer::<Probed>(at, offset!(task_real_parent));
        if task::exec_id::<Probed>(at) != exec_id || !has_open(at, (descriptor, file)) {
            return 0;
        }
    }
    0
}

/// Whether a use of this file by the program run of this very process was told. Global: the loop over parents is then short to the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_told_of(process: u64, inode: u64, numbers: u64, access: u32) -> u32 {
    let process = process as *const u8;
    let mut key = repeats::key_of(
        task::identify::<Probed>(process),
        task::exec_id::<Probed>(process),
        OPERATION_OPEN,
        file_use::object(inode, numbers),
        access,
        0,
    );
    for operation in OPERATION_OPEN..=OPERATION_HOLD {
        key.operation = operation;
        if repeats::is_told(&key) {
            return 1;
        }
    }
    0
}

/// Whether a process has a file under this number; of mapped files, which have none, it is taken to be so.
#[inline(always)]
fn has_open(process: *const u8, (descriptor, file): (u32, *const u8)) -> bool {
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

/// Reports. Global as [`file_use::report_use`] is; how it matched stands in the highest bits of `label`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn report_held(task: u64, file: u64, inode: u64, numbers: u64, label: u64) -> u32 {
    let task = task as *const u8;
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    let object = file_use::object(inode, numbers);
    let (label, matched) = file_use::matched_label(label);
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
        // The look before would have found it, if the file was known before that one began.
        let was_looked_for = matched == MATCHED_OBJECT && label.flags + 1 < look.number;
        record.since_boot_ns = if was_looked_for && look.before_boot_ns > process.start_boottime_ns {
            look.before_boot_ns
        } else {
            process.start_boottime_ns
        };
        task::snapshot_of::<Probed>(task, task::cgroup_id::<Probed>(task), &raw mut record.task);
        path::walk_below(
            &path::root::<Probed>(task),
            &path::of_file(file),
            &mut record.path,
        );
        true
    });
    if submitted {
        repeats::told(&key);
    }
    0
}
