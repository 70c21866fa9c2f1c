//! A file in use: dismissed unless it is known, reported once for each program run, counted after that.

use claviger_sensor_common::{
    DIRECTORY_HAS_PATTERNS, DIRECTORY_LEADS_ON, FileUseRecord, Label, MATCHED_BELOW,
    MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING,
    ObjectKey, Probe, RECORD_FILE_USE,
};

use crate::{
    labels,
    offsets::offset,
    path,
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

/// Of [`known`]'s `by_directory`: by the directory above.
const BELOW: u32 = 2;

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

/// A file is used: dismissed here unless it, or its name in its directory, is known. Returns whether it was.
#[inline(always)]
pub fn used<R: Read>(probe: Probe, operation: u32, file: *const u8) -> bool {
    let inode = pointer::<R>(file, offset!(file_inode));
    let dentry = pointer::<R>(file, offset!(file_dentry));
    let parent = pointer::<R>(dentry, offset!(dentry_parent));
    let directory = pointer::<R>(parent, offset!(dentry_inode));
    let by_object = labels::may_be_labelled(R::read(inode, offset!(inode_ino)));
    let by_directory = labels::may_be_labelled(R::read(directory, offset!(inode_ino)));
    let above = pointer::<R>(
        pointer::<R>(parent, offset!(dentry_parent)),
        offset!(dentry_inode),
    );
    let below = labels::may_lead_on(R::read(above, offset!(inode_ino)));
    (by_object || by_directory || below)
        && known(
            probe as u32,
            operation,
            untyped(file),
            by_object as u32,
            by_directory as u32 | (below as u32) << 1,
        ) != 0
}

/// How a file is known that was just found to be.
#[inline(always)]
pub fn recognised(file: *const u8) -> (ObjectKey, Option<(Label, u32)>) {
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let object = labels::key::<Probed>(inode);
    let dentry = pointer::<Probed>(file, offset!(file_dentry));
    let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
    let directory = labels::key::<Probed>(pointer::<Probed>(parent, offset!(dentry_inode)));
    let found = if labels::of_directory(&directory).is_some() {
        by_name(directory, dentry)
    } else {
        below_directory(parent)
    };
    (object, found)
}

/// A pointer as a mere number, which is all that a function of its own may be given.
#[inline(always)]
pub fn untyped(pointer: *const u8) -> u64 {
    let place = &raw const pointer;
    Probed::read::<u64>(place.cast(), 0)
}

/// As [`used`], once the prefilter has let it through. Global, so that the verifier looks at it once for each program and not at every
/// place that calls it; so its arguments are numbers. Returns how it matched, or 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn known(probe: u32, operation: u32, file: u64, by_object: u32, by_directory: u32) -> u32 {
    let file = file as *const u8;
    let mode: u32 = Probed::read(file, offset!(file_mode));
    if mode & FMODE_PATH != 0 {
        return 0;
    }
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let object = labels::key::<Probed>(inode);
    let mut found = None;
    if by_object != 0 {
        found = labels::of_object(&object).map(|label| (label, MATCHED_OBJECT));
    }
    if found.is_none() && by_directory != 0 && is_regular(inode) {
        let dentry = pointer::<Probed>(file, offset!(file_dentry));
        let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
        let directory = pointer::<Probed>(parent, offset!(dentry_inode));
        let directory = labels::key::<Probed>(directory);
        found = if labels::of_directory(&directory).is_some() {
            by_name(directory, dentry)
        } else if by_directory & BELOW != 0 {
            below_directory(parent)
        } else {
            None
        };
    }
    if let Some((label, matched)) = found {
        report(probe, operation, file, object, label, matched, mode);
        return matched;
    }
    0
}

/// Whether it is a regular file.
#[inline(always)]
pub fn is_regular(inode: *const u8) -> bool {
    Probed::read::<u16>(inode, offset!(inode_mode)) & S_IFMT == S_IFREG
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
    let directory_label = labels::of_directory(&directory)?;
    if let Some(label) = labels::of_name(directory, dentry) {
        return Some((label, MATCHED_NAME));
    }
    (directory_label.flags & DIRECTORY_HAS_PATTERNS != 0)
        .then_some((directory_label, MATCHED_DIRECTORY_PATTERN))
}

#[inline(always)]
fn report(
    probe: u32,
    operation: u32,
    file: *const u8,
    object: ObjectKey,
    label: Label,
    matched: u32,
    mode: u32,
) {
    let key = repeats::key(operation, object, access(mode), 0);
    repeats::first_only(probe, &key, || {
        submit::<FileUseRecord>(probe, RECORD_FILE_USE, |record| {
            // SAFETY: `record` is a reservation of this size.
            let record = unsafe { &mut *record };
            record.key = key;
            record.label = label;
            record.matched = matched;
            record.reserved = 0;
            task::snapshot(&raw mut record.task);
            path::walk(&path::of_file(file), &mut record.path);
            true
        })
    });
}
