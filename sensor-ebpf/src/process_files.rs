//! Files that are a process's memory or environment, or everybody's: `/proc/PID/{environ,mem,maps,smaps}`, `/proc/kcore`, `/dev/mem` and block
//! devices, whatever the path, the mount or the pid namespace by which they are reached, opened or come by as a descriptor.
//!
//! The files of procfs come and go with their numbers, so they are known by what the kernel does on reading them: their file operations,
//! which the agent has this half learn at start by opening its own.

use aya_ebpf::{macros::map, maps::Array};
use claviger_sensor_common::{
    Ancestor, OPERATION_INHERIT, PART_BLOCK_DEVICE, PART_ENVIRON, PART_KERNEL_MEMORY, PART_MAPS, PART_MEM,
    PART_PHYSICAL_MEMORY, Probe, REACHED_BY_AT, REQUEST_ENVIRON, REQUEST_KCORE, REQUEST_MAPS, REQUEST_MEM,
    REQUEST_SMAPS,
};

use crate::{
    file_use::{access, is_for_use},
    numbers::untyped,
    offsets::offset,
    process_secrets::{key, report},
    read::{Probed, Read, Typed, pointer},
    repeats, task,
};

/// include/uapi/linux/stat.h
const S_IFMT: u16 = 0o170_000;
const S_IFCHR: u16 = 0o020_000;
const S_IFBLK: u16 = 0o060_000;
/// MKDEV(1, 1): `/dev/mem`.
const DEVICE_MEM: u32 = (1 << 20) | 1;

/// Addresses of file operations.
#[repr(C)]
#[derive(Clone, Copy)]
struct Operations {
    environ: u64,
    mem: u64,
    maps: u64,
    smaps: u64,
    kcore: u64,
}

/// What was learned.
#[map]
static OPERATIONS: Array<Operations> = Array::with_max_entries(1, 0);

/// Remembers the operations of a file that the agent opened.
#[inline(always)]
pub fn learn(purpose: u32, operations: u64) -> bool {
    let Some(known) = OPERATIONS.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: the one element of an array, written by one agent thread at a time.
    let known = unsafe { &mut *known };
    match purpose {
        REQUEST_ENVIRON => known.environ = operations,
        REQUEST_MEM => known.mem = operations,
        REQUEST_MAPS => known.maps = operations,
        REQUEST_SMAPS => known.smaps = operations,
        REQUEST_KCORE => known.kcore = operations,
        _ => return false,
    }
    true
}

/// A file was opened. Returns whether it is one of these, which has then been reported where it is another's.
#[inline(always)]
pub fn opened<R: Read>(file: *const u8) -> bool {
    let (part, device) = part::<R>(file);
    if part == 0 {
        return false;
    }
    reached(untyped(file), part, device, 0);
    true
}

/// A descriptor came to the current process otherwise, by an `OPERATION_` of a file; whether it is one of these, as [`opened`] says it. Global, for there is little room on
/// the stack, and below rings only three more calls may be under way (of eight).
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn process_file_came(file: u64, operation: u32) -> u32 {
    let (part, device) = part::<Probed>(file as *const u8);
    if part == 0 {
        return 0;
    }
    if is_to_tell(file, part, operation) != 0 {
        tell_reached(file, part, device, operation);
    }
    1
}

/// What an open file is of a process, or of all: a `PART_` value, 0 where it is none of these, and the number of a device.
#[inline(always)]
pub fn part<R: Read>(file: *const u8) -> (u32, u32) {
    let inode = pointer::<R>(file, offset!(file_inode));
    let kind = R::read::<u16>(inode, offset!(inode_mode)) & S_IFMT;
    if kind == S_IFCHR || kind == S_IFBLK {
        let number: u32 = R::read(inode, offset!(inode_rdev));
        return if kind == S_IFBLK {
            (PART_BLOCK_DEVICE, number)
        } else if number == DEVICE_MEM {
            (PART_PHYSICAL_MEMORY, number)
        } else {
            (0, 0)
        };
    }
    let operations: u64 = R::read(file, offset!(file_operations));
    let Some(known) = OPERATIONS.get(0) else {
        return (0, 0);
    };
    let part = if operations == known.environ {
        PART_ENVIRON
    } else if operations == known.mem {
        PART_MEM
    } else if operations == known.maps || operations == known.smaps {
        PART_MAPS
    } else if operations == known.kcore && is_called_kcore::<R>(file) {
        PART_KERNEL_MEMORY
    } else {
        0
    };
    (part, 0)
}

/// Many a file of procfs has the operations of `/proc/kcore`. This one lies at the top and has its name.
#[inline(always)]
fn is_called_kcore<R: Read>(file: *const u8) -> bool {
    let dentry = pointer::<R>(file, offset!(file_dentry));
    let parent = pointer::<R>(dentry, offset!(dentry_parent));
    let name = pointer::<Probed>(dentry, offset!(dentry_name));
    let begin: u32 = Probed::read(name, 0);
    let end: u16 = Probed::read(name, 4);
    begin == u32::from_ne_bytes(*b"kcor")
        && end == u16::from_ne_bytes(*b"e\0")
        && parent == pointer::<R>(parent, offset!(dentry_parent))
}

const NOBODY: Ancestor = Ancestor {
    pid: 0,
    exec_id: 0,
    start_boottime_ns: 0,
};

/// Whose part of a process a file is; nobody's where it is everybody's, or where that process has ended.
#[inline(always)]
pub fn target(file: *const u8, part: u32) -> Ancestor {
    match part {
        PART_BLOCK_DEVICE | PART_PHYSICAL_MEMORY | PART_KERNEL_MEMORY => NOBODY,
        _ => process_of(pointer::<Probed>(file, offset!(file_inode))),
    }
}

/// Whether a descriptor of one of these does no more than name it: of a device, one that neither reads nor writes.
#[inline(always)]
pub fn is_mere_name(part: u32, access: u32) -> bool {
    matches!(part, PART_BLOCK_DEVICE | PART_PHYSICAL_MEMORY) && access == 0
}

/// Whether nothing can be had of a process by an open file of it any more: its memory, as it was when this was opened, is gone; or, of maps, which are looked
/// up at each read, it itself, `target`.
#[inline(always)]
pub fn is_void(file: *const u8, part: u32, target: Ancestor) -> bool {
    if part == PART_MAPS {
        return target.pid == 0;
    }
    if !matches!(part, PART_ENVIRON | PART_MEM) {
        return false;
    }
    let mm = pointer::<Probed>(file, offset!(file_private));
    mm.is_null() || Probed::read::<u32>(mm, offset!(mm_users)) == 0
}

/// Whether a file is of this very process: by whose it is, or, where that was a thread that has ended, by the memory.
#[inline(always)]
pub fn is_of(task: *const u8, file: *const u8, part: u32, target: Ancestor) -> bool {
    if target.pid != 0 {
        return task::identify::<Probed>(task) == target;
    }
    matches!(part, PART_ENVIRON | PART_MEM)
        && pointer::<Probed>(file, offset!(file_private)) == pointer::<Probed>(task, offset!(task_mm))
}

/// Reports that one of these was opened, or came by an `OPERATION_`, `device` being the number of a device. Global, so that what it takes of the stack is not
/// taken from uses, and the verifier looks at it once; as is what it calls one after the other, for below descriptors there is little room.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reached(file: u64, part: u32, device: u32, operation: u32) -> u32 {
    if is_to_tell(file, part, operation) != 0 {
        tell_reached(file, part, device, operation);
    }
    0
}

/// Whether there is something to tell. Who lets a program of its own have one gives that away itself; then it is put down as told.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_to_tell(file: u64, part: u32, operation: u32) -> u32 {
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    let target = target(file, part);
    if !is_for_use(mode)
        || is_mere_name(part, access(mode))
        || operation != 0 && is_void(file, part, target)
        || is_of(task::current(), file, part, target)
    {
        return 0;
    }
    let is_gift = operation == OPERATION_INHERIT
        && is_of_parent(untyped(file), part, target.pid, target.start_boottime_ns) != 0;
    if is_gift {
        let access = access(mode) | operation << REACHED_BY_AT;
        repeats::told(&key(part, target, 0, 0, access, 0));
    }
    !is_gift as u32
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell_reached(file: u64, part: u32, device: u32, operation: u32) -> u32 {
    let file = file as *const u8;
    let access = access(Probed::read(file, offset!(file_mode))) | operation << REACHED_BY_AT;
    report(
        Probe::ProcessSecret,
        part,
        target(file, part),
        0,
        0,
        access,
        device,
    );
    0
}

/// Parents looked at.
const PARENTS_MAX: u32 = 4;

/// Whether a file is of one of the first parents of the current process.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_of_parent(file: u64, part: u32, pid: u32, start_boottime_ns: u64) -> u32 {
    let target = Ancestor {
        pid,
        exec_id: 0,
        start_boottime_ns,
    };
    let mut at = pointer::<Typed>(task::current(), offset!(task_real_parent));
    for _ in 0..PARENTS_MAX {
        if is_of(at, file as *const u8, part, target) {
            return 1;
        }
        at = pointer::<Probed>(at, offset!(task_real_parent));
    }
    0
}

/// The process of an inode of procfs.
#[inline(always)]
fn process_of(inode: *const u8) -> Ancestor {
    // `struct proc_inode` holds its inode.
    let holder = inode.wrapping_sub(offset!(proc_inode) as usize);
    process_of_id(pointer::<Probed>(holder, offset!(proc_pid)))
}

/// The process of a `struct pid`.
#[inline(always)]
pub fn process_of_id(pid: *const u8) -> Ancestor {
    // The first task that has this id as its own; `pid_links` begins with that link.
    let link = pointer::<Probed>(pid, offset!(pid_tasks));
    if link.is_null() {
        NOBODY
    } else {
        task::identify::<Probed>(link.wrapping_sub(offset!(task_pid_links) as usize))
    }
}
