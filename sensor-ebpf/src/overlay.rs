//! Files of overlayfs: which file of its layers one really is.
//!
//! An overlay's inode has the number of the file that it was made of in its lower 32 bits, so the prefilter lets it through where that file is
//! labelled, and nothing here costs an unrelated open anything.
//!
//! Where overlayfs is a module, it may be loaded after these programs, so its offsets are in a map and not among the frozen ones.

use aya_ebpf::{macros::map, maps::Array};
use claviger_sensor_common::{Label, MISSING, ObjectKey, OverlayOffsets};

use crate::{
    labels,
    offsets::offset,
    read::{Probed, Read, pointer},
};

/// include/uapi/linux/magic.h
const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;

/// Where overlayfs keeps its layers, once the agent knows.
#[map]
static OVERLAY: Array<OverlayOffsets> = Array::with_max_entries(1, 0);

/// The files of the layers behind an inode of overlayfs; null where there is none.
struct Layers {
    upper: *const u8,
    lower: *const u8,
}

/// Nothing for an inode of another file system, or where this kernel does not tell how overlayfs keeps its layers.
#[inline(always)]
fn layers(inode: *const u8) -> Option<Layers> {
    let magic: u64 = Probed::read(pointer::<Probed>(inode, offset!(inode_sb)), offset!(sb_magic));
    if magic != OVERLAYFS_SUPER_MAGIC {
        return None;
    }
    let at = OVERLAY.get(0).filter(|at| at.known != 0)?;
    // `struct ovl_inode` holds its inode.
    let holder = inode.wrapping_sub(at.inode as usize);
    let upper = pointer::<Probed>(pointer::<Probed>(holder, at.upper), offset!(dentry_inode));
    let lower = if at.entry != MISSING {
        // From 6.5: a count, and as many layers.
        let entry = pointer::<Probed>(holder, at.entry);
        let count: u32 = Probed::read(entry, at.count);
        if entry.is_null() || count == 0 {
            core::ptr::null()
        } else {
            let stack = at.stack + at.dentry;
            pointer::<Probed>(pointer::<Probed>(entry, stack), offset!(dentry_inode))
        }
    } else if at.lower_path != MISSING {
        pointer::<Probed>(pointer::<Probed>(holder, at.lower_path), offset!(dentry_inode))
    } else if at.lower != MISSING {
        pointer::<Probed>(holder, at.lower)
    } else {
        core::ptr::null()
    };
    Some(Layers { upper, lower })
}

/// In which layer of an overlay a file lies.
pub enum Layer {
    /// It is of no overlay.
    None,
    /// In one below: it is as it came.
    Lower,
    /// In the upper one: it was added, or changed.
    Upper,
    /// This kernel does not tell how overlayfs keeps its layers.
    Unknown,
}

/// In which layer the file of an inode lies.
#[inline(always)]
pub fn layer(inode: *const u8) -> Layer {
    let magic: u64 = Probed::read(pointer::<Probed>(inode, offset!(inode_sb)), offset!(sb_magic));
    if magic != OVERLAYFS_SUPER_MAGIC {
        return Layer::None;
    }
    match layers(inode) {
        None => Layer::Unknown,
        Some(layers) if layers.upper.is_null() => Layer::Lower,
        Some(_) => Layer::Upper,
    }
}

/// Whether a credential may lie in a directory of a layer that an overlay shows, or appear behind it. The mount tells which path that is.
#[inline(always)]
pub fn is_way(directory: *const u8) -> bool {
    let Some(Layers { upper, lower }) = layers(directory) else {
        return false;
    };
    labels::is_way(upper) || labels::is_way(lower)
}

/// Whether a name is known in the directory of the upper layer behind that of an overlay: what is done to it there is seen by itself.
#[inline(always)]
pub fn is_named_above(dentry: *const u8) -> bool {
    let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
    let Some(Layers { upper, .. }) = layers(pointer::<Probed>(parent, offset!(dentry_inode))) else {
        return false;
    };
    !upper.is_null() && labels::of_name(labels::key::<Probed>(upper), dentry).is_some()
}

/// The file behind an inode of overlayfs and its label: its own, or, of a copy, that of the file which it was copied from. With
/// `layer_follows`, only what a hook does not see by itself as the overlay opens the file of its layer.
#[inline(always)]
pub fn labelled(inode: *const u8, layer_follows: bool, writes: bool) -> Option<(ObjectKey, Label)> {
    let Layers { upper, lower } = layers(inode)?;
    if upper.is_null() {
        let object = labels::key::<Probed>(lower);
        let label = labels::of_object(&object)?;
        // What is opened for writing is copied first, and the copy has no label.
        return (!layer_follows || writes).then_some((object, label));
    }
    let object = labels::key::<Probed>(upper);
    if let Some(label) = labels::of_object(&object) {
        return (!layer_follows).then_some((object, label));
    }
    if lower.is_null() {
        return None;
    }
    let label = labels::of_object(&labels::key::<Probed>(lower))?;
    Some((object, label))
}
