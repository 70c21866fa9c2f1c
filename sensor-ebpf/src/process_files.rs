//! Files that are a process's memory or environment, or everybody's: `/proc/PID/{environ,mem,maps,smaps}`, `/proc/kcore`, `/dev/mem` and block
//! devices, whatever the path, the mount or the pid namespace by which they are reached.
//!
//! The files of procfs come and go with their numbers, so they are known by what the kernel does on reading them: their file operations,
//! which the agent has this half learn at start by opening its own.

use aya_ebpf::{macros::map, maps::Array};
use claviger_sensor_common::{
    Ancestor, PART_BLOCK_DEVICE, PART_ENVIRON, PART_KERNEL_MEMORY, PART_MAPS, PART_MEM, PART_PHYSICAL_MEMORY,
    Probe, REQUEST_ENVIRON, REQUEST_KCORE, REQUEST_MAPS, REQUEST_MEM, REQUEST_SMAPS,
};

use crate::{
    file_use::{access, untyped},
    offsets::offset,
    process_secrets::report,
    read::{Probed, Read, pointer},
    task,
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
    let inode = pointer::<R>(file, offset!(file_inode));
    let kind = R::read::<u16>(inode, offset!(inode_mode)) & S_IFMT;
    if kind == S_IFCHR || kind == S_IFBLK {
        return device::<R>(file, inode, kind);
    }
    let operations: u64 = R::read(file, offset!(file_operations));
    let Some(known) = OPERATIONS.get(0) else {
        return false;
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
        return false;
    };
    reached(untyped(file), part, 0);
    true
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

#[inline(always)]
fn device<R: Read>(file: *const u8, inode: *const u8, kind: u16) -> bool {
    let number: u32 = R::read(inode, offset!(inode_rdev));
    let part = if kind == S_IFBLK {
        PART_BLOCK_DEVICE
    } else if number == DEVICE_MEM {
        PART_PHYSICAL_MEMORY
    } else {
        return false;
    };
    reached(untyped(file), part, number);
    true
}

const NOBODY: Ancestor = Ancestor {
    pid: 0,
    exec_id: 0,
    start_boottime_ns: 0,
};

/// Reports that one of these was opened, `device` being the number of a device. Global, so that what it takes of the stack is not taken from
/// uses, and the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn reached(file: u64, part: u32, device: u32) -> u32 {
    let file = file as *const u8;
    let access = access(Probed::read(file, offset!(file_mode)));
    let target = match part {
        PART_BLOCK_DEVICE | PART_PHYSICAL_MEMORY if access == 0 => return 0,
        PART_BLOCK_DEVICE | PART_PHYSICAL_MEMORY | PART_KERNEL_MEMORY => NOBODY,
        _ => {
            let target = process_of(pointer::<Probed>(file, offset!(file_inode)));
            if target.pid == task::current_pid() {
                return 0;
            }
            target
        }
    };
    report(Probe::ProcessSecret, part, target, 0, 0, access, device);
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
