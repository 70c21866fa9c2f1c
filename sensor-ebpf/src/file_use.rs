//! A file in use: dismissed unless it is known, reported once for each program run, counted after that.

use claviger_sensor_common::{
    DIRECTORY_HAS_PATTERNS, DIRECTORY_OF_CREDENTIALS, FileUseRecord, Label, MATCHED_DIRECTORY_PATTERN,
    MATCHED_NAME, MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING, ObjectKey, Probe, RECORD_FILE_USE,
};

use crate::{
    copies, labels,
    offsets::offset,
    path,
    read::{Probed, Read, pointer},
    repeats,
    report::submit,
    task,
};

/// include/linux/fs.h
const FMODE_READ: u32 = 0x1;
pub const FMODE_WRITE: u32 = 0x2;
/// Opened with O_PATH: names a file, reads nothing.
const FMODE_PATH: u32 = 0x4000;
/// include/uapi/linux/stat.h
pub const S_IFMT: u16 = 0o170_000;
pub const S_IFREG: u16 = 0o100_000;

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

/// A file is used: dismissed here unless it, or its name in its directory, is known. Returns whether it is a credential that the current
/// program run takes up for the first time.
#[inline(always)]
pub fn used<R: Read>(probe: Probe, operation: u32, file: *const u8) -> bool {
    let inode = pointer::<R>(file, offset!(file_inode));
    let dentry = pointer::<R>(file, offset!(file_dentry));
    let directory = pointer::<R>(
        pointer::<R>(dentry, offset!(dentry_parent)),
        offset!(dentry_inode),
    );
    let by_object = labels::may_be_labelled(R::read(inode, offset!(inode_ino)));
    let by_directory = labels::may_be_labelled(R::read(directory, offset!(inode_ino)));
    if by_object || by_directory {
        return known(
            probe as u32,
            operation,
            untyped(file),
            by_object as u32,
            by_directory as u32,
        ) != 0;
    }
    false
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
    if found.is_none() && by_directory != 0 {
        let dentry = pointer::<Probed>(file, offset!(file_dentry));
        let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
        let directory = pointer::<Probed>(parent, offset!(dentry_inode));
        found = in_directory(labels::key::<Probed>(directory), dentry, inode);
    }
    if let Some((label, matched)) = found {
        return report(probe, operation, file, object, label, matched, mode) as u32;
    }
    0
}

/// What is known of a name in a directory.
#[inline(always)]
fn in_directory(directory: ObjectKey, dentry: *const u8, inode: *const u8) -> Option<(Label, u32)> {
    let directory_label = labels::of_directory(&directory)?;
    let kind: u16 = Probed::read(inode, offset!(inode_mode));
    if kind & S_IFMT != S_IFREG {
        return None;
    }
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
) -> bool {
    let mut is_first = false;
    let key = repeats::key(operation, object, access(mode), 0);
    repeats::first_only(probe, &key, || {
        // In a directory that holds much else, as `/etc`, most of what is to be looked at is no credential.
        let is_likely = matched != MATCHED_DIRECTORY_PATTERN || label.flags & DIRECTORY_OF_CREDENTIALS != 0;
        if mode & FMODE_READ != 0 && is_likely {
            copies::has_read();
            is_first = true;
        }
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
    is_first
}
