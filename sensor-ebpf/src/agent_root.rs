//! The root of the agent: a path that a process gives leads to the same file for both only where it has the same root, and the same mounts.

use aya_ebpf::{macros::map, maps::Array};

use crate::{
    actor,
    numbers::untyped,
    path::{self, Place},
    read::Probed,
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

/// Whether whoever acts, the current task where that is 0, has another root.
#[inline(always)]
pub fn is_another(whose: u64) -> bool {
    let root = if whose == 0 {
        path::root::<Probed>(task::current())
    } else {
        actor::root(whose)
    };
    let is_own = |at: u32, part: *const u8| {
        AGENT_ROOT
            .get(at)
            .is_none_or(|own| *own == 0 || *own == untyped(part))
    };
    !(is_own(0, root.dentry) && is_own(1, root.mount))
}
