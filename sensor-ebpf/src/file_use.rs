//! A file in use: dismissed unless it is known, reported once for each program run, counted after that.

use claviger_sensor_common::{
    DIRECTORY_HAS_PATTERNS, FileUseRecord, Label, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, MATCHED_OBJECT,
    OPENED_FOR_READING, OPENED_FOR_WRITING, ObjectKey, Probe, RECORD_FILE_USE,
};

use crate::{
    labels,
    offsets::offset,
    overlay, path,
    read::{Probed, Read, pointer},
    repeats,
    report::submit,
    task,
};

/// include/linux/fs.h
const FMODE_READ: u32 = 0x1;
const FMODE_WRITE: u32 = 0x2;
/// Opened with O_PATH: names a file, reads nothing.
const FMODE_PATH: u32 = 0x4000;
/// include/uapi/linux/stat.h
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;

/// The file itself may be labelled.
pub const BY_OBJECT: u32 = 1;
/// Its directory may be.
pub const BY_DIRECTORY: u32 = 2;
/// If it is of overlayfs, the file of its layer comes next.
const LAYER_FOLLOWS: u32 = 4;

/// What a descriptor can do, as records have it.
#[inline(always)]
pub fn access(mode: u32) -> u32 {
    let reads = if mode & FMODE_READ != 0 {
        OPENED_FOR_READING
    } else {
        0
    };
    let writes = if mode & FMODE_WRITE != 0 {
        OPENED_FOR_WRITING
    } else {
        0
    };
    reads | writes
}

/// A file is used: dismissed here unless it, or its name in its directory, is known.
#[inline(always)]
pub fn used<R: Read>(probe: Probe, operation: u32, file: *const u8) {
    used_as::<R>(probe, operation, file, 0);
}

/// As [`used`], at a hook that sees it too when overlayfs opens the file of its layer.
#[inline(always)]
pub fn used_before_layer<R: Read>(probe: Probe, operation: u32, file: *const u8) {
    used_as::<R>(probe, operation, file, LAYER_FOLLOWS);
}

#[inline(always)]
fn used_as<R: Read>(probe: Probe, operation: u32, file: *const u8, how: u32) {
    let found = may_be_known::<R>(file);
    if found != 0 {
        known(probe as u32, operation, untyped(file), found | how);
    }
}

/// Whether a file, or its directory, may be labelled: [`BY_OBJECT`] and [`BY_DIRECTORY`].
#[inline(always)]
pub fn may_be_known<R: Read>(file: *const u8) -> u32 {
    let inode = pointer::<R>(file, offset!(file_inode));
    let dentry = pointer::<R>(file, offset!(file_dentry));
    let directory = pointer::<R>(
        pointer::<R>(dentry, offset!(dentry_parent)),
        offset!(dentry_inode),
    );
    let by_object = labels::may_be_labelled(R::read(inode, offset!(inode_ino)));
    let by_directory = labels::may_be_labelled(R::read(directory, offset!(inode_ino)));
    (by_object as u32 * BY_OBJECT) | (by_directory as u32 * BY_DIRECTORY)
}

/// A pointer as a mere number, which is all that a function of its own may be given.
#[inline(always)]
pub fn untyped(pointer: *const u8) -> u64 {
    let place = &raw const pointer;
    Probed::read::<u64>(place.cast(), 0)
}

/// As [`used`], once the prefilter has let it through. Global, so that the verifier looks at it once for each program and not at every
/// place that calls it; so its arguments are numbers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn known(probe: u32, operation: u32, file: u64, found: u32) -> u32 {
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    if is_for_use(mode)
        && let Some((object, label, matched)) = look_up(file, found, mode)
    {
        let how = probe | operation << 8 | matched << 16;
        report_use(file as u64, object.inode, numbers(object), bits(label), how);
    }
    0
}

/// Device and generation of an object, for a function that may be given numbers only.
#[inline(always)]
pub fn numbers(object: ObjectKey) -> u64 {
    u64::from(object.device) | u64::from(object.generation) << 32
}

/// The object of this inode number, device and generation.
#[inline(always)]
pub fn object(inode: u64, numbers: u64) -> ObjectKey {
    ObjectKey {
        inode,
        device: numbers as u32,
        generation: (numbers >> 32) as u32,
    }
}

/// A label as a number.
#[inline(always)]
pub fn bits(label: Label) -> u64 {
    u64::from(label.id) | u64::from(label.flags) << 32
}

/// The label of this number.
#[inline(always)]
pub fn label(bits: u64) -> Label {
    Label {
        id: bits as u32,
        flags: (bits >> 32) as u32,
    }
}

/// Where in the flags of a label, of which no more are in use, it stands how it matched: one of the `MATCHED_` values.
const MATCHED_AT: u32 = 30;

/// A label, and how it matched, as a number that is never 0.
#[inline(always)]
pub fn matched_bits(label: Label, matched: u32) -> u64 {
    bits(Label {
        flags: label.flags & ((1 << MATCHED_AT) - 1) | matched << MATCHED_AT,
        ..label
    })
}

/// The label of this number, and how it matched.
#[inline(always)]
pub fn matched_label(bits: u64) -> (Label, u32) {
    let Label { id, flags } = label(bits);
    let flags_alone = flags & ((1 << MATCHED_AT) - 1);
    (
        Label {
            id,
            flags: flags_alone,
        },
        flags >> MATCHED_AT,
    )
}

/// Whether a descriptor of this mode can do more than name its file.
#[inline(always)]
pub fn is_for_use(mode: u32) -> bool {
    mode & FMODE_PATH == 0
}

/// What is known of a file that the prefilter has let through: its key, its label, and how it matched.
#[inline(always)]
pub fn look_up(file: *const u8, candidate: u32, mode: u32) -> Option<(ObjectKey, Label, u32)> {
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let object = labels::key::<Probed>(inode);
    let mut found = None;
    if candidate & BY_OBJECT != 0 {
        found = labels::of_object(&object).map(|label| (label, MATCHED_OBJECT));
        if found.is_none()
            && let Some((object, label)) =
                overlay::labelled(inode, candidate & LAYER_FOLLOWS != 0, mode & FMODE_WRITE != 0)
        {
            return Some((object, label, MATCHED_OBJECT));
        }
    }
    if found.is_none() && candidate & BY_DIRECTORY != 0 {
        let dentry = pointer::<Probed>(file, offset!(file_dentry));
        let bits = in_directory(dentry as u64, inode as u64);
        found = (bits != 0).then(|| matched_label(bits));
    }
    found.map(|(label, matched)| (object, label, matched))
}

/// What is known of a name in a directory: a label as a number, with how it matched in the highest bits; 0 where nothing is. Global, for
/// what it takes of the stack is free again when the use is reported.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn in_directory(dentry: u64, inode: u64) -> u64 {
    let dentry = dentry as *const u8;
    let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
    let directory = labels::key::<Probed>(pointer::<Probed>(parent, offset!(dentry_inode)));
    let Some(directory_label) = labels::of_directory(&directory) else {
        return 0;
    };
    let kind: u16 = Probed::read(inode as *const u8, offset!(inode_mode));
    if kind & S_IFMT != S_IFREG {
        return 0;
    }
    if let Some(label) = labels::of_name(directory, dentry) {
        return matched_bits(label, MATCHED_NAME);
    }
    if directory_label.flags & DIRECTORY_HAS_PATTERNS == 0 {
        return 0;
    }
    matched_bits(directory_label, MATCHED_DIRECTORY_PATTERN)
}

/// Reports a use. Global for the same reason: every way by which a file can be known ends here, and this is the longest part. `how`: the probe, the operation and how it
/// matched, a byte each.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn report_use(file: u64, inode: u64, numbers: u64, label: u64, how: u32) -> u32 {
    let file = file as *const u8;
    let probe = how & 0xff;
    let operation = how >> 8 & 0xff;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    let key = repeats::key(operation, object(inode, numbers), access(mode), 0);
    repeats::first_only(probe, &key, || {
        submit::<FileUseRecord>(probe, RECORD_FILE_USE, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.label = self::label(label);
            record.matched = how >> 16;
            record.reserved = 0;
            task::snapshot(&raw mut record.task);
            path::walk(&path::of_file(file), &mut record.path);
            true
        })
    });
    0
}
