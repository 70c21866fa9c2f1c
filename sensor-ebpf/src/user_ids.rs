//! Users as the current task names them, in its own user namespace.

use claviger_sensor_common::UNKNOWN_ID;

use crate::{
    offsets::offset,
    read::{Probed, Read, Typed, pointer},
    task,
};

/// UID_GID_MAP_MAX_BASE_EXTENTS: so many ranges stand in the namespace itself, and of more the first as many are looked at.
const RANGES: u32 = 5;

/// `struct uid_gid_extent`: so many ids from `first` on are, to the kernel, those from `kernels` on.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Range {
    first: u32,
    kernels: u32,
    count: u32,
}

/// The user that the current task means by an id, where 0 is its own: by the id that the kernel has for it. [`UNKNOWN_ID`] where that stands behind many
/// ranges, or in none. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn meant(id: u32) -> u32 {
    let cred = pointer::<Typed>(task::current(), offset!(task_real_cred));
    if id == 0 {
        return Probed::read(cred, offset!(cred_uid));
    }
    let namespace = pointer::<Probed>(cred, offset!(cred_user_ns));
    let count: u32 = Probed::read(namespace, offset!(user_ns_extents_count));
    let ranges = if count > RANGES {
        pointer::<Probed>(namespace, offset!(user_ns_more_extents))
    } else {
        namespace.wrapping_add(offset!(user_ns_extents) as usize)
    };
    for place in 0..RANGES {
        if place >= count {
            break;
        }
        let range: Range = Probed::read(ranges, place * size_of::<Range>() as u32);
        let beyond = id.wrapping_sub(range.first);
        if beyond < range.count {
            return range.kernels.wrapping_add(beyond);
        }
    }
    UNKNOWN_ID
}
