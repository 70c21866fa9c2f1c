//! The root of the agent: a path that a process gives leads to the same file for both only where it has the same root, and the same mounts.

use aya_ebpf::{macros::map, maps::Array};
use claviger_sensor_common::{
    ABOVE_COPY, ABOVE_ELSEWHERE, ABOVE_NOTHING, ABOVE_OUTSIDE, ABOVE_ROOT, ABOVE_UNKNOWN, GivenPath,
    PathBytes,
};

use crate::{
    actor,
    numbers::untyped,
    offsets::offset,
    path::{self, AT_ROOT, AT_TOP, Place},
    read::{Probed, pointer},
    task,
};

/// Its dentry and its mount; zeros until the agent was seen.
#[map]
static AGENT_ROOT: Array<u64> = Array::with_max_entries(2, 0);

/// The current task is the agent's.
#[inline(always)]
pub fn learn() {
    let Place { dentry, mount } = path::root::<Probed>(task::current());
    for (at, part) in [(0, dentry), (1, mount)] {
        if let Some(own) = AGENT_ROOT.get_ptr_mut(at) {
            // SAFETY: eight aligned bytes of an array; only the agent's threads write them, and the same.
            unsafe { own.write_volatile(untyped(part)) };
        }
    }
}

/// The same, as it was learned.
#[inline(always)]
fn known() -> Place {
    let part = |at: u32| AGENT_ROOT.get(at).copied().unwrap_or_default() as *const u8;
    Place {
        dentry: part(0),
        mount: part(1),
    }
}

/// Whether whoever acts, the current task where that is 0, has another root.
#[inline(always)]
pub fn is_another(whose: u64) -> bool {
    let root = if whose == 0 {
        path::root::<Probed>(task::current())
    } else {
        actor::root(whose)
    };
    let own = known();
    let differs = |own: *const u8, other: *const u8| !own.is_null() && own != other;
    differs(own.dentry, root.dentry) || differs(own.mount, root.mount)
}

/// Puts down where a path lies that the current task gives, if that is not in the agent's tree as it is: behind `base`, to which the walk from its start has led, and ended so.
#[inline(always)]
pub fn locate(path: &mut GivenPath, start: Place, end: u32) {
    if end != AT_ROOT || is_another(0) {
        located(path, untyped(start.dentry), untyped(start.mount), end);
    }
}

/// Writes where a relative path starts, and returns, where that is not below the root of the current task, which tree it is: `base` is from the agent's root then, or
/// from the top of another tree.
#[inline(always)]
pub fn walk_from(start: Place, base: &mut PathBytes) -> u32 {
    if path::walk(&start, base) == AT_TOP {
        walked_outside(untyped(start.dentry), untyped(start.mount), base)
    } else {
        ABOVE_NOTHING
    }
}

/// Global, for what it takes of the stack.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walked_outside(dentry: u64, mount: u64, base: *mut PathBytes) -> u32 {
    // SAFETY: what is not null is what [`walk_from`] was given. The verifier knows no more than that.
    let Some(base) = (unsafe { base.as_mut() }) else {
        return ABOVE_UNKNOWN;
    };
    let start = Place {
        dentry: dentry as *const u8,
        mount: mount as *const u8,
    };
    ABOVE_OUTSIDE | in_tree(path::walk_below(&known(), &start, base))
}

/// Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn located(path: *mut GivenPath, dentry: u64, mount: u64, end: u32) -> u32 {
    // SAFETY: what is not null is what [`locate`] was given. The verifier knows no more than that.
    let Some(path) = (unsafe { path.as_mut() }) else {
        return 0;
    };
    path.above = ABOVE_UNKNOWN;
    let own = known();
    let mut of_start = AT_ROOT;
    if end == AT_TOP {
        let start = Place {
            dentry: dentry as *const u8,
            mount: mount as *const u8,
        };
        of_start = path::walk_below(&own, &start, &mut path.base);
    }
    let below = path.base.length;
    if path.base.truncated != 0 {
        return 0;
    }
    let root = path::root::<Probed>(task::current());
    let of_root = path::walk_on(&own, &root, &mut path.base);
    let length = path.base.length.wrapping_sub(below);
    path.base.length = below;
    path.base.truncated = 0;
    if end == AT_TOP {
        path.above = ABOVE_OUTSIDE | in_tree(of_start);
        // In another tree than the start, nothing leads to it.
        path.root_length = if of_root == of_start { length } else { 0 };
    } else if of_root == AT_ROOT || of_root == AT_TOP {
        path.above = in_tree(of_root);
        if of_root == AT_TOP && is_copy(untyped(root.mount)) != 0 {
            path.above |= ABOVE_COPY;
        }
        path.root_length = length;
    }
    1
}

/// Mounts that lie on each other, at most.
const MOUNTS_MAX: u32 = 32;

/// Whether the tree in which this mount is has at its top what the agent's has. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_copy(mount: u64) -> u32 {
    let own = known();
    let mut mount = mount as *const u8;
    let mut is_own = false;
    for _ in 0..MOUNTS_MAX {
        let top = pointer::<Probed>(mount, offset!(vfsmount_root));
        is_own |= top == own.dentry;
        let holder = mount.wrapping_sub(offset!(mount_mnt) as usize);
        let parent = pointer::<Probed>(holder, offset!(mount_parent));
        if parent == holder || parent.is_null() {
            return u32::from(is_own);
        }
        mount = parent.wrapping_add(offset!(mount_mnt) as usize);
        // Else it is a name in what lies above, which is the top then.
        is_own &= pointer::<Probed>(holder, offset!(mount_mountpoint))
            == pointer::<Probed>(mount, offset!(vfsmount_root));
    }
    0
}

/// Which tree it is whose walk ended so.
#[inline(always)]
fn in_tree(end: u32) -> u32 {
    if end == AT_ROOT {
        ABOVE_ROOT
    } else {
        ABOVE_ELSEWHERE
    }
}
