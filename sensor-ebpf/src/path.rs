//! Where a file lies, as the current task's root shows it: the walk from the object upwards, over mounts.
//!
//! `bpf_d_path` would do this in one call, but tracepoints may not call it, and one form for all hooks is worth more than the cost:
//! the walk happens only for a file that is to be reported.

use aya_ebpf::helpers::bpf_probe_read_kernel_str_bytes;
use claviger_sensor_common::{
    MISSING, NAME_BYTES, PATH_COMPONENTS_MAX, PATH_USABLE_BYTES, PathBytes, ROOT_IS_TOP, RootPlace,
};

use crate::{
    numbers::untyped,
    offsets::offset,
    read::{Probed, Read, pointer},
    task,
};

/// A place in the tree of mounts.
#[derive(Clone, Copy)]
pub struct Place {
    /// `struct dentry *`
    pub dentry: *const u8,
    /// `struct vfsmount *`
    pub mount: *const u8,
}

impl Place {
    pub const NOWHERE: Self = Self {
        dentry: core::ptr::null(),
        mount: core::ptr::null(),
    };
}

/// Where an open file lies.
#[inline(always)]
pub fn of_file(file: *const u8) -> Place {
    Place {
        dentry: pointer::<Probed>(file, offset!(file_dentry)),
        mount: pointer::<Probed>(file, offset!(file_mnt)),
    }
}

/// The current task's working directory.
#[inline(always)]
pub fn working_directory() -> Place {
    let fs = pointer::<Probed>(task::current(), offset!(task_fs));
    Place {
        dentry: pointer::<Probed>(fs, offset!(fs_pwd_dentry)),
        mount: pointer::<Probed>(fs, offset!(fs_pwd_mnt)),
    }
}

/// The root of a task.
#[inline(always)]
pub fn root<R: Read>(task: *const u8) -> Place {
    let fs = pointer::<R>(task, offset!(task_fs));
    Place {
        dentry: pointer::<Probed>(fs, offset!(fs_root_dentry)),
        mount: pointer::<Probed>(fs, offset!(fs_root_mnt)),
    }
}

/// The same, so that it is known again outside of the kernel.
#[inline(always)]
pub fn root_id() -> RootPlace {
    let Place { dentry, mount } = root::<Probed>(task::current());
    let holder = mount.wrapping_sub(offset!(mount_mnt) as usize);
    let is_top = pointer::<Probed>(mount, offset!(vfsmount_root)) == dentry;
    let inode = pointer::<Probed>(dentry, offset!(dentry_inode));
    let id = if offset!(mount_unique_id) == MISSING {
        u64::from(Probed::read::<u32>(holder, offset!(mount_id)))
    } else {
        Probed::read(holder, offset!(mount_unique_id))
    };
    RootPlace {
        mount: id | u64::from(is_top) << ROOT_IS_TOP.trailing_zeros(),
        inode: Probed::read(inode, offset!(inode_ino)),
    }
}

/// What a walk ended at: the root.
pub const AT_ROOT: u32 = 0;
/// What a walk ended at: nothing, for there was no room, or it was too long.
const CUT: u32 = 1;
/// What a walk ended at: the top of all, for the root does not hold the place.
pub const AT_TOP: u32 = 2;

/// Writes the components from `place` up to the root of the current task; returns what it ended at.
#[inline(always)]
pub fn walk(place: &Place, out: &mut PathBytes) -> u32 {
    walk_below(&root::<Probed>(task::current()), place, out)
}

/// Writes the components from `place` up to a root; returns what it ended at.
#[inline(always)]
pub fn walk_below(root: &Place, place: &Place, out: &mut PathBytes) -> u32 {
    out.length = 0;
    walk_on(root, place, out)
}

/// The same, behind what is there already.
#[inline(always)]
pub fn walk_on(root: &Place, place: &Place, out: &mut PathBytes) -> u32 {
    walk_up(
        untyped(place.dentry),
        untyped(place.mount),
        untyped(root.dentry),
        untyped(root.mount),
        out,
    )
}

/// As [`walk_below`]. Global, so that the verifier looks at it once for each program and not for each state in which it is called: older ones
/// (6.1) take every number as precise that a caller holds, and follow the walk again for each.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_up(
    dentry: u64,
    mount: u64,
    root_dentry: u64,
    root_mount: u64,
    out: *mut PathBytes,
) -> u32 {
    // SAFETY: what is not null is what [`walk_below`] was given. The verifier knows no more than that.
    let Some(out) = (unsafe { out.as_mut() }) else {
        return CUT;
    };
    let root = Place {
        dentry: root_dentry as *const u8,
        mount: root_mount as *const u8,
    };
    let mut dentry = dentry as *const u8;
    let mut mount = mount as *const u8;
    let mut top = pointer::<Probed>(mount, offset!(vfsmount_root));
    // The length is kept in the record, not in a register: from there it is any number to the verifier, so that all ways through
    // the loop look the same to it and are checked once.
    let length = &raw mut out.length;
    let mut end = CUT;
    for _ in 0..PATH_COMPONENTS_MAX {
        if dentry == root.dentry && mount == root.mount {
            end = AT_ROOT;
            break;
        }
        let (parent, name) = parent_and_name(dentry);
        if dentry == top || dentry == parent {
            // The top of a mount: go on where it is mounted. `struct mount` holds its `struct vfsmount`.
            let holder = mount.wrapping_sub(offset!(mount_mnt) as usize);
            let above = pointer::<Probed>(holder, offset!(mount_parent));
            if above == holder || above.is_null() {
                // The top of all: a file that the task's root does not hold (a detached mount, a memfd, a descriptor from outside).
                end = AT_TOP;
                break;
            }
            dentry = pointer::<Probed>(holder, offset!(mount_mountpoint));
            mount = above.wrapping_add(offset!(mount_mnt) as usize);
            top = pointer::<Probed>(mount, offset!(vfsmount_root));
            continue;
        }
        // SAFETY: `length` points into `out`, of which nothing else borrows this part.
        let used = unsafe { length.read_volatile() } as usize;
        if used >= PATH_USABLE_BYTES {
            break;
        }
        // The bound is repeated as a mask for the verifier, which loses the comparison above.
        let at = used & (PATH_USABLE_BYTES - 1);
        let Some(room) = out.components.get_mut(at..at + NAME_BYTES) else {
            break;
        };
        // SAFETY: the helper copies a string from any address into `room` and reports a fault instead of taking it.
        match unsafe { bpf_probe_read_kernel_str_bytes(name, room) } {
            // The terminating zero is not counted, but stays.
            // SAFETY: as above.
            Ok(copied) => unsafe { length.write_volatile((at + copied.len() + 1) as u32) },
            Err(_) => break,
        }
        dentry = parent;
    }
    out.truncated = u32::from(end == CUT);
    end
}

/// Two pointers of a dentry, by one read where they stand as in all kernels so far: `d_parent`, then `d_name`, of which the pointer is the second half.
#[inline(always)]
fn parent_and_name(dentry: *const u8) -> (*const u8, *const u8) {
    if offset!(dentry_name) == offset!(dentry_parent) + 16 {
        let [parent, _hash_and_length, name]: [usize; 3] = Probed::read(dentry, offset!(dentry_parent));
        (parent as *const u8, name as *const u8)
    } else {
        (
            pointer::<Probed>(dentry, offset!(dentry_parent)),
            pointer::<Probed>(dentry, offset!(dentry_name)),
        )
    }
}
