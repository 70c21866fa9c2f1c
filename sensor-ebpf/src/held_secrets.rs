//! What the look through open descriptors finds of files that are a process's memory or environment, or everybody's.
//!
//! As with credentials, what was told of the same program run is passed over, and what came by being forked from a process of which it was told. So is
//! what a process has of itself, and what it has from the very process that it is of, which has it under the same number.

use claviger_sensor_common::{
    Ancestor, Label, OPERATION_HOLD, OPERATION_REACH, Probe, ProcessSecretRecord, REACHED_BY_AT,
    RECORD_PROCESS_SECRET,
};

use crate::{
    file_use::{Found, access, is_for_use},
    numbers::untyped,
    offsets::offset,
    open_descriptors::{KNOWN_HELD, has_open, is_ending, is_told, look},
    process_files::{is_mere_name, is_of, is_void, target},
    process_secrets::object,
    read::{Probed, Read, pointer},
    repeats,
    report::submit,
    task,
};

/// Parents looked at.
const PARENTS_MAX: u32 = 4;

/// A task has such a file: `part` of a process, or of all. Global as [`crate::file_use::report_use`] is; `holder` is what the descriptor stands for.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn secret_held(task: u64, file: u64, part: u32, descriptor: u32, holder: u64) -> u32 {
    if !is_ending(task)
        && look_at(task, file, part) != 0
        && is_own_gift(task, holder, file, descriptor) == 0
        && is_told(task, holder, file, descriptor) == 0
    {
        report_secret_held(task, file, part);
    }
    0
}

/// Puts down whose it is; 0 where it is nothing to tell.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_at(task: u64, file: u64, part: u32) -> u32 {
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    let target = target(file, part);
    if !is_for_use(mode)
        || is_mere_name(part, access(mode))
        || is_void(file, part, target)
        || is_of(task as *const u8, file, part, target)
    {
        return 0;
    }
    let Some(known) = KNOWN_HELD.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: an element of an array, which only the thread that looks uses.
    unsafe {
        *known = Found {
            object: object(target, 0, device(file)),
            label: Label { id: part, flags: 0 },
            matched: 0,
        };
    }
    1
}

/// The number of the device that a file is; 0 of another.
#[inline(always)]
fn device(file: *const u8) -> u32 {
    Probed::read(pointer::<Probed>(file, offset!(file_inode)), offset!(inode_rdev))
}

/// Whether a parent has the same open under the same number, and it is a part of that parent.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_own_gift(task: u64, holder: u64, file: u64, descriptor: u32) -> u32 {
    let Some(known) = KNOWN_HELD.get(0) else { return 0 };
    let target = Ancestor {
        pid: known.object.device,
        exec_id: 0,
        start_boottime_ns: known.object.inode,
    };
    let mut at = pointer::<Probed>(task as *const u8, offset!(task_real_parent));
    for _ in 0..PARENTS_MAX {
        if !has_open(at, (descriptor, holder as *const u8)) {
            return 0;
        }
        if is_of(at, file as *const u8, known.label.id, target) {
            return 1;
        }
        at = pointer::<Probed>(at, offset!(task_real_parent));
    }
    0
}

/// Reports what was put down last.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn report_secret_held(task: u64, file: u64, part: u32) -> u32 {
    let Some(known) = KNOWN_HELD.get(0) else { return 0 };
    let task = task as *const u8;
    let file = file as *const u8;
    let process = task::identify::<Probed>(task);
    let key = repeats::key_of(
        process,
        task::exec_id::<Probed>(task),
        OPERATION_REACH + part,
        known.object,
        access(Probed::read(file, offset!(file_mode))) | OPERATION_HOLD << REACHED_BY_AT,
        0,
    );
    let look = look();
    let since_boot_ns = look.before_boot_ns.max(process.start_boottime_ns);
    let submitted =
        submit::<ProcessSecretRecord>(Probe::ProcessSecret as u32, RECORD_PROCESS_SECRET, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.target = target(file, part);
            record.given_pid = 0;
            record.device = device(file);
            record.since_boot_ns = since_boot_ns;
            record.pre_existing = u32::from(look.number <= 1);
            record.reserved = 0;
            task::snapshot_of_another(untyped(task), &raw mut record.task);
            true
        });
    if submitted {
        repeats::told_since(&key, since_boot_ns);
    }
    0
}
