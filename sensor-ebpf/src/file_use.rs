//! A file in use: dismissed unless it is known, reported once for each program run, counted after that.

use claviger_sensor_common::{
    DIRECTORY_HAS_PATTERNS, DIRECTORY_LEADS_ON, DIRECTORY_OF_CREDENTIALS, FileUseRecord, FileVersion,
    LABEL_OF_SENSOR, Label, MATCHED_BELOW, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, MATCHED_OBJECT, MISSING,
    OPENED_FOR_READING, OPENED_FOR_WRITING, OPERATION_MAP, OPERATION_OPEN, ObjectKey, Probe, RECORD_FILE_USE,
};

use crate::{
    again,
    arguments::may_execute,
    copies, holders, labels, named_objects,
    numbers::{bits, label, matched_bits, matched_label, numbers, object, untyped},
    offsets::offset,
    overlay, path,
    read::{Probed, Read, pointer},
    repeats,
    report::submit_soon,
    task,
};

/// include/linux/fs.h
pub const FMODE_READ: u32 = 0x1;
pub const FMODE_WRITE: u32 = 0x2;
/// Opened with O_PATH: names a file, reads nothing.
const FMODE_PATH: u32 = 0x4000;
/// `__FMODE_EXEC`, among the flags of an open: the kernel reads a program that it is to run, and the process gets no descriptor, but where binfmt_misc is told to
/// give its interpreter one.
pub const OPENED_TO_RUN: u32 = 0x20;
/// include/uapi/linux/stat.h
pub const S_IFMT: u16 = 0o170_000;
pub const S_IFREG: u16 = 0o100_000;
const S_IFDIR: u16 = 0o040_000;

/// The file itself may be labelled.
pub const BY_OBJECT: u32 = 1;
/// Its directory may be.
pub const BY_DIRECTORY: u32 = 2;
/// If it is of overlayfs, the file of its layer comes next.
const LAYER_FOLLOWS: u32 = 4;
/// The directory above its directory may be.
const BELOW: u32 = 8;
/// It is open for writing.
const WRITES: u32 = 16;
/// The hook sees also what overlayfs opens for itself, which is nobody's use.
const OR_OF_OVERLAY: u32 = 32;

/// Where in what [`report_use`] is told of a use the access stands: `OPENED_FOR_` bits.
pub const ACCESS_AT: u32 = 24;

/// What [`used`] tells: the file is known.
pub const KNOWN: u32 = 1;
/// What [`used`] tells: it is a credential that the current program run can read and takes up for the first time.
pub const READ_FIRST: u32 = 2;

/// [`WRITES`], where a file is open for it.
#[inline(always)]
pub fn writes(mode: u32) -> u32 {
    if mode & FMODE_WRITE != 0 { WRITES } else { 0 }
}

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

/// A file is used: dismissed here unless it, or its name in its directory, is known. Returns [`KNOWN`] and [`READ_FIRST`], or 0.
#[inline(always)]
pub fn used<R: Read>(probe: Probe, operation: u32, file: *const u8) -> u32 {
    used_as::<R>(probe, operation, file, 0)
}

/// As [`used`], at a hook that sees it too when overlayfs opens the file of its layer.
#[inline(always)]
pub fn used_before_layer<R: Read>(probe: Probe, operation: u32, file: *const u8) -> u32 {
    used_as::<R>(probe, operation, file, LAYER_FOLLOWS)
}

/// As [`used`], at a hook that sees it too when overlayfs opens the file of its layer, and has seen that first.
#[inline(always)]
pub fn used_behind_layer<R: Read>(probe: Probe, operation: u32, file: *const u8) -> u32 {
    used_as::<R>(probe, operation, file, OR_OF_OVERLAY)
}

#[inline(always)]
fn used_as<R: Read>(probe: Probe, operation: u32, file: *const u8, whose: u32) -> u32 {
    let found = if whose & LAYER_FOLLOWS == 0 {
        may_be_known::<R>(file)
    } else {
        may_be_known_itself::<R>(file)
    };
    if found == 0 {
        return 0;
    }
    let mode: u32 = R::read(file, offset!(file_mode));
    if !is_for_use(mode) || is_to_run::<R>(file, operation) {
        return 0;
    }
    if whose & OR_OF_OVERLAY != 0 && overlay::opens_itself(file, mode) {
        return 0;
    }
    let how = probe as u32 | operation << 8;
    if found & BY_OBJECT != 0 && again::is_counted::<R>(how, file, mode) {
        return KNOWN;
    }
    known(how, untyped(file), mode, found | whose)
}

/// Whether the kernel opens or maps it as a program that it is to run. The flag alone does not tell: XFS takes it from whoever opens by its own request.
#[inline(always)]
fn is_to_run<R: Read>(file: *const u8, operation: u32) -> bool {
    matches!(operation, OPERATION_OPEN | OPERATION_MAP)
        && R::read::<u32>(file, offset!(file_flags)) & OPENED_TO_RUN != 0
        && may_execute()
}

/// Whether a file, what it shows of another, its directory, or the one above may be labelled: [`BY_OBJECT`], [`BY_DIRECTORY`] and [`BELOW`].
#[inline(always)]
pub fn may_be_known<R: Read>(file: *const u8) -> u32 {
    let found = may_be_known_itself::<R>(file);
    if found & BY_OBJECT == 0 && overlay::may_show_labelled::<R>(file) {
        return found | BY_OBJECT;
    }
    found
}

/// The same, but for what it shows of another.
#[inline(always)]
fn may_be_known_itself<R: Read>(file: *const u8) -> u32 {
    let inode = pointer::<R>(file, offset!(file_inode));
    let dentry = pointer::<R>(file, offset!(file_dentry));
    let parent = pointer::<R>(dentry, offset!(dentry_parent));
    let directory = pointer::<R>(parent, offset!(dentry_inode));
    let above = pointer::<R>(
        pointer::<R>(parent, offset!(dentry_parent)),
        offset!(dentry_inode),
    );
    let by_object = labels::may_be_labelled(R::read(inode, offset!(inode_ino)));
    let by_directory = labels::may_be_labelled(R::read(directory, offset!(inode_ino)));
    let below = labels::may_lead_on(R::read(above, offset!(inode_ino)));
    (by_object as u32 * BY_OBJECT) | (by_directory as u32 * BY_DIRECTORY) | (below as u32 * BELOW)
}

/// As [`used`], once the prefilter has let it through. Global, so that the verifier looks at it once for each program and not at every
/// place that calls it; so its arguments are numbers. `how`: the probe and the operation, a byte each.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn known(how: u32, file: u64, mode: u32, found: u32) -> u32 {
    let mut it = Found::NOTHING;
    if look_up_to(file, found | writes(mode), &raw mut it) == 0 {
        return 0;
    }
    let Found {
        object,
        label,
        matched,
    } = it;
    if label.flags & LABEL_OF_SENSOR != 0 && mode & FMODE_WRITE == 0 {
        return KNOWN;
    }
    if matched != MATCHED_OBJECT
        && known_by_name(file, matched_bits(label, matched), found | writes(mode)) != 0
    {
        return 0;
    }
    let how = how | matched << 16 | access(mode) << ACCESS_AT;
    report_use(file, object.inode, numbers(object), bits(label), how)
}

/// Labels a file that is known by its name; 1 where it is told, now that it has a label, as the overlay opens it in its layer. Global, so that what it takes
/// of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn known_by_name(file: u64, known: u64, candidate: u32) -> u32 {
    let (label, matched) = matched_label(known);
    named_objects::take(file, label, matched);
    if candidate & LAYER_FOLLOWS == 0 {
        return 0;
    }
    is_told_below(file, candidate & WRITES)
}

/// What is known of a file.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Found {
    pub object: ObjectKey,
    pub label: Label,
    pub matched: u32,
}

impl Found {
    pub const NOTHING: Self = Self {
        object: ObjectKey {
            inode: 0,
            device: 0,
            generation: 0,
        },
        label: Label { id: 0, flags: 0 },
        matched: 0,
    };
}

/// What is known of a file that the prefilter has let through, into `out`; 0 where nothing is. Global, as are the two that it calls one after the other, so
/// that what each takes of the stack is free again: below a ring there is no room for all.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look_up_to(file: u64, candidate: u32, out: *mut Found) -> u32 {
    let file = file as *const u8;
    // SAFETY: what is not null is what the caller keeps on its stack. The verifier knows no more than that.
    let Some(found) = (unsafe { out.as_mut() }) else {
        return 0;
    };
    let inode = pointer::<Probed>(file, offset!(file_inode));
    if candidate & BY_OBJECT != 0 {
        // What it shows counts, and only then what it is itself: the same file is then one, whether it is opened through the overlay or in its layer.
        let is_shown = overlay::is_of_overlay::<Probed>(inode) && {
            if candidate & LAYER_FOLLOWS != 0 && is_told_below(untyped(file), candidate & WRITES) != 0 {
                return 0;
            }
            shown(untyped(file), candidate, found) != 0
        };
        if is_shown || by_object(untyped(file), found) != 0 {
            found.matched = MATCHED_OBJECT;
            return 1;
        }
    }
    if candidate & (BY_DIRECTORY | BELOW) == 0 {
        return 0;
    }
    let dentry = pointer::<Probed>(file, offset!(file_dentry));
    let bits = in_directory(dentry as u64, inode as u64);
    if bits == 0 {
        return 0;
    }
    found.object = object_of(inode);
    (found.label, found.matched) = matched_label(bits);
    1
}

/// The label of the file itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn by_object(file: u64, out: *mut Found) -> u32 {
    // SAFETY: as above.
    let Some(found) = (unsafe { out.as_mut() }) else {
        return 0;
    };
    // Before 6.4 a map takes no key that lies where only the caller knows.
    let object = labels::key::<Probed>(pointer::<Probed>(file as *const u8, offset!(file_inode)));
    let Some(label) = labels::of_object(&object) else {
        return 0;
    };
    found.object = object;
    found.label = label;
    1
}

/// Whether the file is told as the overlay opens it in its layer.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_told_below(file: u64, writes: u32) -> u32 {
    let inode = pointer::<Probed>(file as *const u8, offset!(file_inode));
    overlay::is_told_below(inode, writes != 0) as u32
}

/// The label of what an open file of overlayfs shows.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn shown(file: u64, candidate: u32, out: *mut Found) -> u32 {
    // SAFETY: as above.
    let Some(found) = (unsafe { out.as_mut() }) else {
        return 0;
    };
    let (layer_follows, writes) = (candidate & LAYER_FOLLOWS != 0, candidate & WRITES != 0);
    let Some((object, label)) = overlay::shown(file as *const u8, layer_follows, writes) else {
        return 0;
    };
    found.object = object;
    found.label = label;
    1
}

/// Whether a descriptor of this mode can do more than name its file.
#[inline(always)]
pub fn is_for_use(mode: u32) -> bool {
    mode & FMODE_PATH == 0
}

/// What is known of a name in a directory: a label as a number, with how it matched in the highest bits; 0 where nothing is. Global, for
/// what it takes of the stack is free again when the use is reported.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn in_directory(dentry: u64, inode: u64) -> u64 {
    let dentry = dentry as *const u8;
    if !is_regular(inode as *const u8) {
        return 0;
    }
    by_place(dentry).map_or(0, |(label, matched)| matched_bits(label, matched))
}

/// Whether it is a regular file.
#[inline(always)]
pub fn is_regular(inode: *const u8) -> bool {
    Probed::read::<u16>(inode, offset!(inode_mode)) & S_IFMT == S_IFREG
}

/// Whether it is a directory.
#[inline(always)]
pub fn is_directory(inode: *const u8) -> bool {
    Probed::read::<u16>(inode, offset!(inode_mode)) & S_IFMT == S_IFDIR
}

/// What is known of a file by its directory, or else by the one above.
#[inline(always)]
fn by_place(dentry: *const u8) -> Option<(Label, u32)> {
    let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
    let directory = labels::key::<Probed>(pointer::<Probed>(parent, offset!(dentry_inode)));
    match labels::of_directory(&directory) {
        Some(label) => by_name_in(directory, label, dentry),
        None => below_directory(parent),
    }
}

/// The object that a file is told as which is known by its name: of overlayfs, that of the layer, as it is told once it is labelled.
#[inline(always)]
pub fn object_of(inode: *const u8) -> ObjectKey {
    let content = overlay::content_of(untyped(inode)) as *const u8;
    labels::key::<Probed>(if content.is_null() { inode } else { content })
}

/// How a file is known that was just found to be.
#[inline(always)]
pub fn recognised(file: *const u8) -> (ObjectKey, Option<(Label, u32)>) {
    let object = object_of(pointer::<Probed>(file, offset!(file_inode)));
    (object, by_place(pointer::<Probed>(file, offset!(file_dentry))))
}

/// What is known of a file in a directory that is not labelled, by the one above it: that has been labelled before this one was made.
#[inline(always)]
fn below_directory(parent: *const u8) -> Option<(Label, u32)> {
    let above = pointer::<Probed>(parent, offset!(dentry_parent));
    let above = pointer::<Probed>(above, offset!(dentry_inode));
    let label = labels::of_directory(&labels::key::<Probed>(above))?;
    (label.flags & DIRECTORY_LEADS_ON != 0).then_some((label, MATCHED_BELOW))
}

/// What is known of a name in a directory.
#[inline(always)]
pub fn by_name(directory: ObjectKey, dentry: *const u8) -> Option<(Label, u32)> {
    by_name_in(directory, labels::of_directory(&directory)?, dentry)
}

/// The same, in a directory with this label.
#[inline(always)]
fn by_name_in(directory: ObjectKey, directory_label: Label, dentry: *const u8) -> Option<(Label, u32)> {
    if let Some(label) = labels::of_name(directory, dentry) {
        return Some((label, MATCHED_NAME));
    }
    (directory_label.flags & DIRECTORY_HAS_PATTERNS != 0)
        .then_some((directory_label, MATCHED_DIRECTORY_PATTERN))
}

/// A flag among the nanoseconds of a time of change, from 6.13 on: somebody has asked for it.
const ASKED_FOR: u32 = 1 << 31;

/// Which version of a file it is.
#[inline(always)]
pub fn version(file: *const u8) -> FileVersion {
    if offset!(inode_modified_s) == MISSING
        || offset!(inode_modified_ns) == MISSING
        || offset!(inode_changed_s) == MISSING
        || offset!(inode_changed_ns) == MISSING
    {
        return FileVersion::default();
    }
    let inode = pointer::<Probed>(file, offset!(file_inode));
    FileVersion {
        size: Probed::read(inode, offset!(inode_size)),
        modified_s: Probed::read(inode, offset!(inode_modified_s)),
        changed_s: Probed::read(inode, offset!(inode_changed_s)),
        modified_ns: Probed::read(inode, offset!(inode_modified_ns)),
        changed_ns: Probed::read::<u32>(inode, offset!(inode_changed_ns)) & !ASKED_FOR,
    }
}

/// Reports a use. Global for the same reason: every way by which a file can be known ends here, and this is the longest part. `how`: the probe, the operation and how it
/// matched, a byte each, and what the descriptor can do from [`ACCESS_AT`] on.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn report_use(file: u64, inode: u64, numbers: u64, label: u64, how: u32) -> u32 {
    let file = file as *const u8;
    let probe = how & 0xff;
    let operation = how >> 8 & 0xff;
    let matched = how >> 16 & 0xff;
    let access = how >> ACCESS_AT;
    let key = repeats::key(operation, object(inode, numbers), access, 0);
    let mut told = KNOWN;
    repeats::first_only(probe, &key, || {
        // In a directory that holds much else, as `/etc`, most of what is to be looked at is no credential.
        let is_likely =
            matched != MATCHED_DIRECTORY_PATTERN || self::label(label).flags & DIRECTORY_OF_CREDENTIALS != 0;
        if access & OPENED_FOR_READING != 0 && is_likely {
            copies::has_read();
            holders::holds(untyped(task::current()));
            told |= READ_FIRST;
        }
        submit_soon::<FileUseRecord>(probe, RECORD_FILE_USE, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.label = self::label(label);
            record.matched = matched;
            record.reserved = 0;
            record.version = version(file);
            task::snapshot(&raw mut record.task);
            path::walk(&path::of_file(file), &mut record.path);
            true
        })
    });
    told
}
