//! Files of overlayfs: which file of its layers one really is.
//!
//! An overlay's inode has the number of the file that it was made of in its lower 32 bits, so the prefilter lets it through where that file is
//! labelled, and nothing here costs an unrelated open anything.

use claviger_sensor_common::{Label, MISSING, ObjectKey};

use crate::{
    labels,
    offsets::offset,
    read::{Probed, Read, pointer},
};

/// include/uapi/linux/magic.h
const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;

/// The files of the layers behind an inode of overlayfs; null where there is none.
struct Layers {
    upper: *const u8,
    lower: *const u8,
}

/// Nothing for an inode of another file system, or where this kernel does not tell how overlayfs keeps its layers.
#[inline(always)]
fn layers(inode: *const u8) -> Option<Layers> {
    let magic: u64 = Probed::read(pointer::<Probed>(inode, offset!(inode_sb)), offset!(sb_magic));
    if magic != OVERLAYFS_SUPER_MAGIC || offset!(overlay_upper) == MISSING {
        return None;
    }
    // `struct ovl_inode` holds its inode.
    let holder = inode.wrapping_sub(offset!(overlay_inode) as usize);
    let upper = pointer::<Probed>(
        pointer::<Probed>(holder, offset!(overlay_upper)),
        offset!(dentry_inode),
    );
    let lower = if offset!(overlay_entry) != MISSING {
        // From 6.5: a count, and as many layers.
        let entry = pointer::<Probed>(holder, offset!(overlay_entry));
        let count: u32 = Probed::read(entry, offset!(overlay_count));
        if entry.is_null() || count == 0 {
            core::ptr::null()
        } else {
            let stack = offset!(overlay_stack) + offset!(overlay_dentry);
            pointer::<Probed>(pointer::<Probed>(entry, stack), offset!(dentry_inode))
        }
    } else if offset!(overlay_path) != MISSING {
        pointer::<Probed>(
            pointer::<Probed>(holder, offset!(overlay_path)),
            offset!(dentry_inode),
        )
    } else if offset!(overlay_lower) != MISSING {
        pointer::<Probed>(holder, offset!(overlay_lower))
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
    if offset!(overlay_upper) == MISSING {
        return Layer::Unknown;
    }
    let holder = inode.wrapping_sub(offset!(overlay_inode) as usize);
    if pointer::<Probed>(holder, offset!(overlay_upper)).is_null() {
        Layer::Lower
    } else {
        Layer::Upper
    }
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
