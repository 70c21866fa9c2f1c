//! What all that sees changes of credential files shares: what is known of a file or a name, and records of changes.
//!
//! - [`crate::changed_objects`]: by objects, where the functions that change them can be looked at
//! - [`crate::changed_names`], [`crate::changed_paths`], [`crate::changes_ring`]: by system calls and io_uring, elsewhere; refusals everywhere
//! - [`created`]: by opens

use claviger_sensor_common::{
    ABOVE_NOTHING, CHANGE_BY_PATH, CHANGE_CREATED, CHANGE_OF_OTHER_ROOT, CHANGE_READ_LATE, ChangeOfTwoRecord,
    ChangeRecord, GivenPath, KnownFile, Label, MATCHED_OBJECT, ObjectKey, Probe, RECORD_CHANGE, UNKNOWN_ID,
};

use crate::{
    actor, agent_root,
    file_use::{by_name, is_regular, object_of, recognised},
    labels,
    numbers::untyped,
    offsets::offset,
    overlay,
    path::{self, Place},
    read::{Probed, Read, pointer},
    report::submit_if_room,
    task,
};

/// include/linux/fs.h: this open made it.
const FMODE_CREATED: u32 = 0x10_0000;
/// include/uapi/linux/fs.h
pub const RENAME_EXCHANGE: u32 = 2;
/// include/uapi/linux/stat.h
const PERMISSIONS: u16 = 0o7777;
pub const NOTHING_KNOWN: KnownFile = KnownFile {
    label: Label { id: 0, flags: 0 },
    matched: 0,
    through_overlay: 0,
    object: ObjectKey {
        inode: 0,
        device: 0,
        generation: 0,
    },
};

/// What is the same for both paths, by number.
#[derive(Clone, Copy)]
pub struct Facts {
    pub what: u32,
    pub errno: u32,
    pub by_path: bool,
    /// Of a path: it was read when the call had ended, and not when it began.
    pub read_late: bool,
    /// The [`crate::actor::Actor`] that did it, where that lies; 0 for the current task.
    pub whose: u64,
    pub overwrote: bool,
    pub before: Attributes,
    pub after: Attributes,
    pub file: KnownFile,
    pub place: KnownFile,
}

/// Mode and owner.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Attributes {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Attributes {
    pub const UNKNOWN: Self = Self {
        mode: UNKNOWN_ID,
        uid: UNKNOWN_ID,
        gid: UNKNOWN_ID,
    };

    #[inline(always)]
    pub fn of(inode: *const u8) -> Self {
        Self {
            mode: u32::from(Probed::read::<u16>(inode, offset!(inode_mode)) & PERMISSIONS),
            uid: Probed::read(inode, offset!(inode_uid)),
            gid: Probed::read(inode, offset!(inode_gid)),
        }
    }
}

impl Facts {
    /// Of a success, of which nothing else is known yet.
    #[inline(always)]
    pub const fn new(what: u32) -> Self {
        Self {
            what,
            errno: 0,
            by_path: false,
            read_late: false,
            whose: 0,
            overwrote: false,
            before: Attributes::UNKNOWN,
            after: Attributes::UNKNOWN,
            file: NOTHING_KNOWN,
            place: NOTHING_KNOWN,
        }
    }
}

/// What is known of a file, by itself or by its name, at a hook that sees it too when overlayfs does the same to the file of its upper layer.
#[inline(always)]
pub fn known<R: Read>(dentry: *const u8, inode: *const u8) -> KnownFile {
    known_as::<R>(dentry, inode, LAYER_FOLLOWS)
}

/// As [`known`], at one that does not.
#[inline(always)]
pub fn known_by_call(dentry: *const u8, inode: *const u8) -> KnownFile {
    known_as::<Probed>(dentry, inode, 0)
}

const LAYER_FOLLOWS: u32 = 1;

#[inline(always)]
fn known_as<R: Read>(dentry: *const u8, inode: *const u8, how: u32) -> KnownFile {
    if labels::may_be_labelled(R::read(inode, offset!(inode_ino))) {
        let object = labels::key::<Probed>(inode);
        if let Some(label) = labels::of_object(&object) {
            return KnownFile {
                label,
                matched: MATCHED_OBJECT,
                through_overlay: 0,
                object,
            };
        }
        let mut found = NOTHING_KNOWN;
        let layer_follows = how & LAYER_FOLLOWS != 0;
        if object_of_layer(untyped(inode), how, &raw mut found) != 0
            && !(layer_follows && is_named_above(untyped(dentry)) != 0)
        {
            return found;
        }
    }
    let mut found = NOTHING_KNOWN;
    if is_regular(inode) {
        found = named::<R>(dentry);
        if found.matched != 0 {
            found.object = object_of(inode);
        }
    }
    found
}

/// The label of the file of its layer. Global, so that what it takes of the stack is free again behind it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn object_of_layer(inode: u64, how: u32, out: *mut KnownFile) -> u32 {
    // SAFETY: what is not null is what the caller keeps on its stack. The verifier knows no more than that.
    let Some(found) = (unsafe { out.as_mut() }) else {
        return 0;
    };
    let Some((object, label)) = overlay::labelled(inode as *const u8, how & LAYER_FOLLOWS != 0, true) else {
        return 0;
    };
    found.label = label;
    found.matched = MATCHED_OBJECT;
    found.through_overlay = 1;
    found.object = object;
    1
}

/// Whether the same is seen by itself in the upper layer. Global, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_named_above(dentry: u64) -> u32 {
    overlay::is_named_above(dentry as *const u8) as u32
}

/// What is known of a name.
#[inline(always)]
pub fn named<R: Read>(dentry: *const u8) -> KnownFile {
    let parent = pointer::<R>(dentry, offset!(dentry_parent));
    let directory = pointer::<R>(parent, offset!(dentry_inode));
    if labels::may_be_labelled(R::read(directory, offset!(inode_ino)))
        && let Some((label, matched)) = by_name(labels::key::<Probed>(directory), dentry)
    {
        return KnownFile {
            label,
            matched,
            ..NOTHING_KNOWN
        };
    }
    NOTHING_KNOWN
}

/// A file was opened that is known: told, where this open created it.
#[inline(always)]
pub fn opened<R: Read>(file: *const u8) {
    if R::read::<u32>(file, offset!(file_mode)) & FMODE_CREATED != 0 {
        created(untyped(file));
    }
}

/// Tells the creation of a file that is known. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn created(file: u64) -> u32 {
    let file = file as *const u8;
    let (object, Some((label, matched))) = recognised(file) else {
        return 0;
    };
    let mut facts = Facts::new(CHANGE_CREATED);
    facts.file = KnownFile {
        label,
        matched,
        through_overlay: 0,
        object,
    };
    one(&facts, |path| {
        nothing_given(path);
        path::walk(&path::of_file(file), &mut path.base);
        true
    });
    0
}

/// Submits a change with one path.
#[inline(always)]
pub fn one(facts: &Facts, fill: impl FnOnce(&mut GivenPath) -> bool) {
    submit_if_room::<ChangeRecord>(Probe::CredentialChange as u32, RECORD_CHANGE, |record| {
        // SAFETY: `record` is a reservation of this size.
        let record = unsafe { &mut *record };
        write(record, facts);
        fill(&mut record.path)
    });
}

/// Submits a change with two paths.
#[inline(always)]
pub fn two(facts: &Facts, fill: impl FnOnce(&mut GivenPath, &mut GivenPath) -> bool) {
    submit_if_room::<ChangeOfTwoRecord>(Probe::CredentialChange as u32, RECORD_CHANGE, |record| {
        // SAFETY: as above.
        let record = unsafe { &mut *record };
        write(&mut record.change, facts);
        fill(&mut record.change.path, &mut record.second)
    });
}

#[inline(always)]
fn write(record: &mut ChangeRecord, facts: &Facts) {
    record.what = facts.what;
    record.errno = facts.errno;
    record.by_path =
        (u32::from(facts.by_path) * CHANGE_BY_PATH) | (u32::from(facts.read_late) * CHANGE_READ_LATE);
    if facts.by_path && agent_root::is_another(facts.whose) {
        record.by_path |= CHANGE_OF_OTHER_ROOT;
    }
    record.overwrote = u32::from(facts.overwrote);
    record.mode_before = facts.before.mode;
    record.mode_after = facts.after.mode;
    record.uid_before = facts.before.uid;
    record.gid_before = facts.before.gid;
    record.uid_after = facts.after.uid;
    record.gid_after = facts.after.gid;
    record.file = facts.file;
    record.place = facts.place;
    if facts.whose == 0 {
        task::snapshot(&raw mut record.task);
    } else {
        actor::copy_task(facts.whose, &raw mut record.task);
    }
}

#[inline(always)]
pub fn nothing_given(path: &mut GivenPath) {
    path.given_length = 0;
    path.given_truncated = 0;
    path.above = ABOVE_NOTHING;
    path.root_length = 0;
}

/// The path of a dentry on its file system.
#[inline(always)]
pub fn on_file_system(dentry: *const u8, path: &mut GivenPath) {
    nothing_given(path);
    path::walk(
        &Place {
            dentry,
            mount: core::ptr::null(),
        },
        &mut path.base,
    );
}
