//! Changes of credential files, by objects: their names, lengths, modes, owners and attributes.
//!
//! `fentry` and `fexit` of the `vfs_*` functions (5.17), at the level of LSM as at that of fentry: every caller comes through them, also io_uring and
//! 32-bit entry, and only their return tells how it ended, which no LSM hook is told. What is needed from before (a name, a mode) is kept
//! from entry to exit; where the end does not change it, the exit alone is looked at.
//!
//! They see no mount, so a path here is the one on its file system. The agent knows by the label where that is.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use claviger_sensor_common::{
    CHANGE_APPEARED, CHANGE_ATTRIBUTE, CHANGE_DIRECTORY_EXCHANGED, CHANGE_DIRECTORY_RENAMED,
    CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_MODE, CHANGE_OWNER, CHANGE_REMOVED, CHANGE_RENAMED,
    CHANGE_SYMLINKED, CHANGE_TRUNCATED, KnownFile, MATCHED_OBJECT, REQUEST_CHANGED,
};

use crate::{
    changes::{Attributes, Facts, NOTHING_KNOWN, RENAME_EXCHANGE, known, named, on_file_system, one, two},
    file_use::{is_directory, is_regular},
    given::{self, has_slash, only},
    labels,
    named_objects::{take_by_name, take_known},
    numbers::untyped,
    offsets::{agent_pid, offset},
    pending_changes::{begin, ended, ended_with_second, is_pending},
    read::{Probed, Read, Typed, pointer},
    task,
};

/// include/linux/fs.h
const ATTR_MODE: u32 = 1;
const ATTR_OWNER: u32 = 1 << 1 | 1 << 2;
const ATTR_SIZE: u32 = 1 << 3;
/// By an open, which is reported as such.
const ATTR_OPEN: u32 = 1 << 15;

/// `vfs_unlink(idmap, dir, dentry, …)`
#[fentry(function = "vfs_unlink")]
pub fn fentry_vfs_unlink(ctx: FEntryContext) -> i32 {
    let dentry: *const u8 = ctx.arg(2);
    let inode = pointer::<Typed>(dentry, offset!(dentry_inode));
    let file = known::<Typed>(dentry, inode);
    if file.matched != 0 && !is_own() {
        begin(
            dentry,
            CHANGE_REMOVED,
            dentry,
            inode,
            &file,
            &NOTHING_KNOWN,
            false,
        );
    }
    0
}

#[fexit(function = "vfs_unlink")]
pub fn fexit_vfs_unlink(ctx: FExitContext) -> i32 {
    let dentry: *const u8 = ctx.arg(2);
    ended(dentry, succeeded(&ctx), |_| ());
    0
}

/// `vfs_rename(renamedata)`
#[fentry(function = "vfs_rename")]
pub fn fentry_vfs_rename(ctx: FEntryContext) -> i32 {
    let data: *const u8 = ctx.arg(0);
    let old = pointer::<Typed>(data, offset!(rename_old));
    let new = pointer::<Typed>(data, offset!(rename_new));
    let flags: u32 = Typed::read(data, offset!(rename_flags));
    let inode = pointer::<Typed>(old, offset!(dentry_inode));
    if is_directory(inode) {
        begin_directory(untyped(old), untyped(new), flags);
        return 0;
    }
    if !is_regular(inode) {
        return 0;
    }
    let overwritten = pointer::<Typed>(new, offset!(dentry_inode));
    let file = known::<Typed>(old, inode);
    let mut place = NOTHING_KNOWN;
    if !overwritten.is_null() {
        place = known::<Typed>(new, overwritten);
    }
    if place.matched == 0 {
        place = named::<Typed>(new);
    }
    if (file.matched | place.matched) == 0 || is_own() {
        return 0;
    }
    // By whatever name it goes on, it is what it was by this one.
    take_known(untyped(old), &file);
    let what = if flags & RENAME_EXCHANGE != 0 {
        CHANGE_EXCHANGED
    } else {
        CHANGE_RENAMED
    };
    begin(old, what, old, inode, &file, &place, !overwritten.is_null());
    0
}

/// A directory is about to be renamed: kept where it is a way to credentials, or comes to where one may be. Global, so that the verifier looks at it
/// once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_directory(old: u64, new: u64, flags: u32) -> u32 {
    let old = old as *const u8;
    let new = new as *const u8;
    let inode = pointer::<Probed>(old, offset!(dentry_inode));
    let parent = pointer::<Probed>(
        pointer::<Probed>(new, offset!(dentry_parent)),
        offset!(dentry_inode),
    );
    if is_own() || !(labels::is_way(inode) || labels::is_way(parent)) {
        return 0;
    }
    let what = if flags & RENAME_EXCHANGE != 0 {
        CHANGE_DIRECTORY_EXCHANGED
    } else {
        CHANGE_DIRECTORY_RENAMED
    };
    let file = directory(inode);
    let place = directory(parent);
    begin(old, what, old, inode, &file, &place, false);
    0
}

#[inline(always)]
fn directory(inode: *const u8) -> KnownFile {
    let object = labels::key::<Probed>(inode);
    let mut known = KnownFile {
        object,
        ..NOTHING_KNOWN
    };
    if let Some(label) = labels::of_directory(&object) {
        known.label = label;
        known.matched = MATCHED_OBJECT;
    }
    known
}

#[fexit(function = "vfs_rename")]
pub fn fexit_vfs_rename(ctx: FExitContext) -> i32 {
    let data: *const u8 = ctx.arg(0);
    let old = pointer::<Typed>(data, offset!(rename_old));
    // It has its new name by now.
    if is_pending(old) {
        if succeeded(&ctx) {
            take_by_name(untyped(old));
            let flags: u32 = Typed::read(data, offset!(rename_flags));
            if flags & RENAME_EXCHANGE != 0 {
                take_by_name(untyped(pointer::<Typed>(data, offset!(rename_new))));
            }
        }
        ended_with_second(old, old, succeeded(&ctx));
    } else {
        appeared_in::<Typed>(old);
    }
    0
}

/// `notify_change(idmap, dentry, attributes, …)`: chmod, chown, truncate, by whatever call.
#[fentry(function = "notify_change")]
pub fn fentry_notify_change(ctx: FEntryContext) -> i32 {
    let dentry: *const u8 = ctx.arg(1);
    let attributes: *const u8 = ctx.arg(2);
    let valid: u32 = Typed::read(attributes, offset!(attributes_valid));
    let what = if valid & ATTR_OWNER != 0 {
        CHANGE_OWNER
    } else if valid & ATTR_SIZE != 0 && valid & ATTR_OPEN == 0 {
        CHANGE_TRUNCATED
    } else if valid & (ATTR_MODE | ATTR_SIZE) == ATTR_MODE {
        CHANGE_MODE
    } else {
        return 0;
    };
    let inode = pointer::<Typed>(dentry, offset!(dentry_inode));
    let file = known::<Typed>(dentry, inode);
    if file.matched != 0 && !is_own() {
        begin(dentry, what, dentry, inode, &file, &NOTHING_KNOWN, false);
    }
    0
}

#[fexit(function = "notify_change")]
pub fn fexit_notify_change(ctx: FExitContext) -> i32 {
    if is_own() {
        labels::answer_seen(REQUEST_CHANGED);
        return 0;
    }
    let dentry: *const u8 = ctx.arg(1);
    let inode = pointer::<Typed>(dentry, offset!(dentry_inode));
    ended(dentry, succeeded(&ctx), |facts| {
        facts.after = Attributes::of(inode)
    });
    0
}

/// `vfs_link(old_dentry, idmap, dir, new_dentry, …)`
#[fentry(function = "vfs_link")]
pub fn fentry_vfs_link(ctx: FEntryContext) -> i32 {
    let old: *const u8 = ctx.arg(0);
    let new: *const u8 = ctx.arg(3);
    let inode = pointer::<Typed>(old, offset!(dentry_inode));
    let file = known::<Typed>(old, inode);
    let place = named::<Typed>(new);
    if (file.matched | place.matched) != 0 && !is_own() {
        take_known(untyped(old), &file);
        begin(new, CHANGE_LINKED, old, inode, &file, &place, false);
    }
    0
}

#[fexit(function = "vfs_link")]
pub fn fexit_vfs_link(ctx: FExitContext) -> i32 {
    let new: *const u8 = ctx.arg(3);
    if is_pending(new) && succeeded(&ctx) {
        take_by_name(untyped(new));
    }
    ended_with_second(new, new, succeeded(&ctx));
    0
}

/// `vfs_symlink(idmap, dir, dentry, target)`: what it leads to is known by its text only.
#[fexit(function = "vfs_symlink")]
pub fn fexit_vfs_symlink(ctx: FExitContext) -> i32 {
    let dentry: *const u8 = ctx.arg(2);
    let target: *const u8 = ctx.arg(3);
    if !succeeded(&ctx) || is_own() {
        return 0;
    }
    appeared_in::<Typed>(dentry);
    let mut facts = Facts::new(CHANGE_SYMLINKED);
    facts.place = named::<Typed>(dentry);
    // One name alone leads to a neighbour, which is none of ours where the directory is none.
    if facts.place.matched == 0 && !has_slash::<false>(target as u64) && !is_in_known_directory(dentry) {
        return 0;
    }
    two(&facts, |path, second| {
        on_file_system(dentry, second);
        given::target::<false>(path, untyped(target))
    });
    0
}

/// `vfs_setxattr(idmap, dentry, name, …)`
#[fexit(function = "vfs_setxattr")]
pub fn fexit_vfs_setxattr(ctx: FExitContext) -> i32 {
    attribute(&ctx)
}

/// `vfs_removexattr(idmap, dentry, name)`
#[fexit(function = "vfs_removexattr")]
pub fn fexit_vfs_removexattr(ctx: FExitContext) -> i32 {
    attribute(&ctx)
}

/// `vfs_set_acl(idmap, dentry, name, …)`, 6.2
#[fexit(function = "vfs_set_acl")]
pub fn fexit_vfs_set_acl(ctx: FExitContext) -> i32 {
    attribute(&ctx)
}

/// `vfs_remove_acl(idmap, dentry, name)`, 6.2
#[fexit(function = "vfs_remove_acl")]
pub fn fexit_vfs_remove_acl(ctx: FExitContext) -> i32 {
    attribute(&ctx)
}

/// `vfs_mkdir(idmap, dir, dentry, …)`: it is looked at whether it succeeded or not, which costs a look at most.
#[fexit(function = "vfs_mkdir")]
pub fn fexit_vfs_mkdir(ctx: FExitContext) -> i32 {
    let dentry: *const u8 = ctx.arg(2);
    appeared_in::<Typed>(dentry);
    0
}

#[inline(always)]
fn attribute(ctx: &FExitContext) -> i32 {
    let dentry: *const u8 = ctx.arg(1);
    let name: *const u8 = ctx.arg(2);
    let inode = pointer::<Typed>(dentry, offset!(dentry_inode));
    let mut facts = Facts::new(CHANGE_ATTRIBUTE);
    facts.file = known::<Typed>(dentry, inode);
    if facts.file.matched == 0 || !succeeded(ctx) || is_own() {
        return 0;
    }
    two(&facts, |path, second| {
        on_file_system(dentry, path);
        only::<false>(second, untyped(name))
    });
    0
}

#[inline(always)]
fn succeeded(ctx: &FExitContext) -> bool {
    matches!(ctx.ret::<i32>(), Ok(0))
}

#[inline(always)]
fn is_own() -> bool {
    task::current_pid() == agent_pid()
}

#[inline(always)]
fn is_in_known_directory(dentry: *const u8) -> bool {
    let parent = pointer::<Probed>(dentry, offset!(dentry_parent));
    labels::is_way(pointer::<Probed>(parent, offset!(dentry_inode)))
}

/// Something has a new name: the agent is told where that may be a way to credentials.
#[inline(always)]
fn appeared_in<R: Read>(dentry: *const u8) {
    let parent = pointer::<R>(dentry, offset!(dentry_parent));
    let directory = pointer::<R>(parent, offset!(dentry_inode));
    if labels::is_way(directory) && !is_own() {
        let mut facts = Facts::new(CHANGE_APPEARED);
        facts.file.object = labels::key::<Probed>(directory);
        one(&facts, |path| {
            on_file_system(dentry, path);
            true
        });
    }
}
