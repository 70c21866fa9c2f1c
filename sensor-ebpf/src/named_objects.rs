//! Files labelled by the name at which they come to lie, at once: the agent labels them when it looks, some tenths of a second later, and until then whoever gave one
//! another name could open it there as a file that nobody knows.
//!
//! Where a name is known exactly, its file gets that label. Where a directory is there for credentials and takes patterns, its file gets the directory's: only the agent
//! can say whether its name fits, and then gives it the label of that name, or takes it away. A name is enough for no more than a name was before: a file
//! that has other names already, and belongs neither to root nor to the owner of the directory, is not labelled, for so anybody could have foreign files taken for
//! credentials.

use claviger_sensor_common::{
    Counter, DIRECTORY_OF_CREDENTIALS, KnownFile, Label, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME, Probe,
};

use crate::{
    changes::named,
    file_use::is_regular,
    labels,
    numbers::{matched_bits, matched_label, untyped},
    offsets::offset,
    overlay,
    read::{Probed, Read, pointer},
    report::lose,
};

/// Labels an open file by the name at which it was opened, of which this is known.
#[inline(always)]
pub fn take(file: u64, label: Label, matched: u32) {
    if says_which(label, matched) {
        let dentry = pointer::<Probed>(file as *const u8, offset!(file_dentry));
        take_object(untyped(dentry), matched_bits(label, matched));
    }
}

/// Whether what is known of a name is enough to label its file.
#[inline(always)]
fn says_which(label: Label, matched: u32) -> bool {
    matched == MATCHED_NAME
        || matched == MATCHED_DIRECTORY_PATTERN && label.flags & DIRECTORY_OF_CREDENTIALS != 0
}

/// The same, of what was found of a change.
#[inline(always)]
pub fn take_known(dentry: u64, file: &KnownFile) {
    if says_which(file.label, file.matched) {
        take_object(dentry, matched_bits(file.label, file.matched));
    }
}

/// Labels the file that lies at this name now, where the name is known. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn take_by_name(dentry: u64) -> u32 {
    let place = named::<Probed>(dentry as *const u8);
    take_known(dentry, &place);
    0
}

/// Global, for the same reason; so its arguments are numbers.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn take_object(dentry: u64, known: u64) -> u32 {
    let dentry = dentry as *const u8;
    let inode = pointer::<Probed>(dentry, offset!(dentry_inode));
    if !is_regular(inode) || is_foreign(dentry, inode) {
        return 0;
    }
    // As the agent labels it: by what has the content. The numbers of an overlay's own go to the next overlay, and these have no generation.
    let content = overlay::content_of(untyped(inode)) as *const u8;
    if content.is_null() {
        return 0;
    }
    let (label, _) = matched_label(known);
    if !labels::take(&labels::key::<Probed>(content), label) {
        lose(Probe::CredentialChange, Counter::LostLabels);
    }
    0
}

/// Whether somebody may have given a name to a file that is none of his.
#[inline(always)]
fn is_foreign(dentry: *const u8, inode: *const u8) -> bool {
    let owner: u32 = Probed::read(inode, offset!(inode_uid));
    let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
    let directory = pointer::<Probed>(parent, offset!(dentry_inode));
    Probed::read::<u32>(inode, offset!(inode_links)) > 1
        && owner != 0
        && owner != Probed::read::<u32>(directory, offset!(inode_uid))
}
