//! Files of overlayfs: which file of its layers one really is.
//!
//! An overlay's inode has the number of the file that it was made of in its lower 32 bits, so the prefilter lets it through where that file is
//! labelled. The content may be that of yet another file: of a layer below (metacopy), which may be there for data alone and have any name. That one is
//! found by the file of the layer that overlayfs opens for each of its own. Of what is unrelated, only an open that keeps something of its own is looked at
//! for that (a plain file of a disk or of memory does not), and of these only files of overlayfs further.
//!
//! Where overlayfs is a module, it may be loaded after these programs, so its offsets are in a map and not among the frozen ones.

use aya_ebpf::{macros::map, maps::Array};
use claviger_sensor_common::{Label, MISSING, ObjectKey, OverlayOffsets};

use crate::{
    file_use::is_regular,
    labels,
    numbers::{bits, label, untyped},
    offsets::offset,
    read::{Probed, Read, pointer},
};

/// include/uapi/linux/magic.h
const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;

/// Where overlayfs keeps its layers, once the agent knows.
#[map]
static OVERLAY: Array<OverlayOffsets> = Array::with_max_entries(1, 0);

/// Bit of `ovl_inode.flags`: the content is in the upper layer too, where there is one.
const OVL_UPPERDATA: u64 = 1 << 3;
/// Overlays that can lie on each other (FILESYSTEM_MAX_STACK_DEPTH).
const STACKED_MAX: u32 = 2;

/// The files of the layers behind an inode of overlayfs; null where there is none.
struct Layers {
    upper: *const u8,
    lower: *const u8,
    /// What has the content, where that is another one below.
    data: *const u8,
    /// Whether the upper one has its content.
    is_upper_whole: bool,
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
    let mut data = core::ptr::null();
    let lower = if at.entry != MISSING {
        // From 6.5: a count, and as many layers.
        let entry = pointer::<Probed>(holder, at.entry);
        let count: u32 = Probed::read(entry, at.count);
        if entry.is_null() || count == 0 {
            core::ptr::null()
        } else {
            let stack = at.stack + at.dentry;
            if count > 1 {
                let last = entry.wrapping_add((count - 1) as usize * LAYER_BYTES);
                data = pointer::<Probed>(pointer::<Probed>(last, stack), offset!(dentry_inode));
            }
            pointer::<Probed>(pointer::<Probed>(entry, stack), offset!(dentry_inode))
        }
    } else if at.lower_path != MISSING {
        pointer::<Probed>(pointer::<Probed>(holder, at.lower_path), offset!(dentry_inode))
    } else if at.lower != MISSING {
        pointer::<Probed>(holder, at.lower)
    } else {
        core::ptr::null()
    };
    // A directory has something else there.
    if at.lower_data != MISSING && is_regular(inode) {
        data = pointer::<Probed>(holder, at.lower_data);
    }
    let is_upper_whole = at.flags == MISSING || Probed::read::<u64>(holder, at.flags) & OVL_UPPERDATA != 0;
    Some(Layers {
        upper,
        lower,
        data,
        is_upper_whole,
    })
}

/// Bytes of a `struct ovl_path`: a layer, and a dentry in it.
const LAYER_BYTES: usize = 16;

/// The file of its layer that an open file of overlayfs reads and writes; null where it is not open yet, or is of another file system.
#[inline(always)]
fn real_file(file: *const u8) -> *const u8 {
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let Some(at) = OVERLAY.get(0).filter(|at| at.known != 0) else {
        return core::ptr::null();
    };
    if !is_of_overlay::<Probed>(inode) || !is_regular(inode) {
        return core::ptr::null();
    }
    let kept = pointer::<Probed>(file, offset!(file_private));
    if at.real_file == MISSING {
        kept
    } else {
        pointer::<Probed>(kept, at.real_file)
    }
}

/// Whether an inode is one of overlayfs.
#[inline(always)]
pub fn is_of_overlay<R: Read>(inode: *const u8) -> bool {
    R::read::<u64>(pointer::<R>(inode, offset!(inode_sb)), offset!(sb_magic)) == OVERLAYFS_SUPER_MAGIC
}

/// include/linux/fs.h: files that count towards nobody's limit. overlayfs has its own open so.
const FMODE_NOACCOUNT: u32 = 0x2000_0000;
/// fs/mount.h: what a mount of the kernel's own has for its namespace, the error EINVAL.
const MNT_NS_INTERNAL: u64 = -22_i64 as u64;
/// include/linux/fs.h, of file systems that only the kernel mounts, as that of files that are made in memory: anybody can have those open.
const SB_NOUSER: u64 = 1 << 31;

/// Whether overlayfs opens a file of its layers for itself: what a file of its own shows, or, on a mount of its own, what it copies up. What is opened through the overlay
/// is told as the process opens it.
#[inline(always)]
pub fn opens_itself(file: *const u8, mode: u32) -> bool {
    if mode & FMODE_NOACCOUNT != 0 {
        return true;
    }
    let mount = pointer::<Probed>(file, offset!(file_mnt)).wrapping_sub(offset!(mount_mnt) as usize);
    if Probed::read::<u64>(mount, offset!(mount_namespace)) != MNT_NS_INTERNAL {
        return false;
    }
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let superblock = pointer::<Probed>(inode, offset!(inode_sb));
    Probed::read::<u64>(superblock, offset!(sb_flags)) & SB_NOUSER == 0
}

/// Whether what an open file shows may be labelled, where it is one of overlayfs.
#[inline(always)]
pub fn may_show_labelled<R: Read>(file: *const u8) -> bool {
    R::read::<u64>(file, offset!(file_private)) != 0
        && is_of_overlay::<R>(pointer::<R>(file, offset!(file_inode)))
        && shows_labelled(untyped(file)) != 0
}

/// The prefilter for the files behind an open one of overlayfs. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn shows_labelled(file: u64) -> u32 {
    let mut file = file as *const u8;
    for _ in 0..STACKED_MAX {
        let inode = pointer::<Probed>(file, offset!(file_inode));
        if let Some(Layers { data, .. }) = layers(inode)
            && !data.is_null()
            && labels::may_be_labelled(Probed::read(data, offset!(inode_ino)))
        {
            return 1;
        }
        file = real_file(file);
        if file.is_null() {
            return 0;
        }
        let inode = pointer::<Probed>(file, offset!(file_inode));
        if labels::may_be_labelled(Probed::read(inode, offset!(inode_ino))) {
            return 1;
        }
    }
    0
}

/// As [`labelled`], of an open file, whose content may be that of another one than its inode tells.
#[inline(always)]
pub fn shown(file: *const u8, layer_follows: bool, writes: bool) -> Option<(ObjectKey, Label)> {
    let mut file = file;
    for _ in 0..STACKED_MAX {
        let inode = pointer::<Probed>(file, offset!(file_inode));
        let found = labelled(inode, layer_follows, writes);
        // Where the file of the layer is seen by itself, it is not open yet.
        if found.is_some() || layer_follows {
            return found;
        }
        file = real_file(file);
        if file.is_null() {
            return None;
        }
        let object = labels::key::<Probed>(pointer::<Probed>(file, offset!(file_inode)));
        if let Some(label) = labels::of_object(&object) {
            return Some((object, label));
        }
    }
    None
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

/// In which layer the file of an inode lies. Of what is called deep in every snapshot, so it keeps nothing but what it asks for.
#[inline(always)]
pub fn layer(inode: *const u8) -> Layer {
    if !is_of_overlay::<Probed>(inode) {
        return Layer::None;
    }
    let Some(at) = OVERLAY.get(0).filter(|at| at.known != 0) else {
        return Layer::Unknown;
    };
    let holder = inode.wrapping_sub(at.inode as usize);
    if pointer::<Probed>(pointer::<Probed>(holder, at.upper), offset!(dentry_inode)).is_null() {
        Layer::Lower
    } else {
        Layer::Upper
    }
}

/// Whether a credential may lie in a directory of a layer that an overlay shows, or appear behind it. The mount tells which path that is.
#[inline(always)]
pub fn is_way(directory: *const u8) -> bool {
    let Some(Layers { upper, lower, .. }) = layers(directory) else {
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
    let Layers {
        upper,
        lower,
        data,
        is_upper_whole,
    } = layers(inode)?;
    let known = label_there(untyped(upper));
    if known != 0 {
        return (!layer_follows).then(|| with_label(upper, known));
    }
    // Of an overlay on another, what the other one shows.
    let mut from = content_of(untyped(lower)) as *const u8;
    let mut known = label_there(untyped(from));
    if known == 0 {
        from = data;
        known = label_there(untyped(from));
    }
    if known == 0 {
        return None;
    }
    if !upper.is_null() && is_upper_whole {
        // A copy, which has no label.
        return Some(with_label(upper, known));
    }
    // What is opened for writing is copied first.
    (!layer_follows || writes).then(|| with_label(from, known))
}

/// Whether a hook sees the file behind an inode of overlayfs by itself as the overlay opens it, so that it is told there and not here.
#[inline(always)]
pub fn is_told_below(inode: *const u8, writes: bool) -> bool {
    labelled(inode, false, writes).is_some() && labelled(inode, true, writes).is_none()
}

/// The inode that has what an inode shows: of overlayfs, that of a layer; else itself.
#[inline(always)]
pub fn content(inode: *const u8) -> *const u8 {
    if !is_of_overlay::<Probed>(inode) || !is_regular(inode) {
        return inode;
    }
    match layers(inode) {
        Some(layers) if !layers.upper.is_null() && layers.is_upper_whole => layers.upper,
        Some(layers) if !layers.data.is_null() => layers.data,
        Some(layers) if !layers.lower.is_null() => layers.lower,
        _ => inode,
    }
}

/// As [`content`]; null where it is of overlayfs and not known. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn content_of(inode: u64) -> u64 {
    let content = content(inode as *const u8);
    if is_of_overlay::<Probed>(content) {
        return 0;
    }
    untyped(content)
}

/// Set where there is a label, of which the number could be 0.
const HAS_LABEL: u64 = 1 << 63;

/// The label of an inode as a number, with [`HAS_LABEL`]; 0 where it has none. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn label_there(inode: u64) -> u64 {
    if inode == 0 {
        return 0;
    }
    match labels::of_object(&labels::key::<Probed>(inode as *const u8)) {
        Some(label) => bits(label) | HAS_LABEL,
        None => 0,
    }
}

/// A file, with what [`label_there`] gave.
#[inline(always)]
fn with_label(inode: *const u8, known: u64) -> (ObjectKey, Label) {
    (labels::key::<Probed>(inode), label(known & !HAS_LABEL))
}
