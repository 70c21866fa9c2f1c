//! Changes of files by the exits of their system calls: of what a path leads to or a descriptor holds, `syscalls:sys_exit_{chmod,chown,setxattr,truncate,…}`; of names see
//! [`crate::changed_names`].
//!
//! - By descriptor, the object itself. By path, the path as it was given, with the directory at which it starts: the kernel shows no object there.
//! - Beside [`crate::changed_objects`], which sees what happened, these programs look at refusals only.
//! - Such calls come from everything that happens on a host. One that names a neighbour in a directory that is none of ours (what `rm -r` does)
//!   is dismissed at once: a path of one name says exactly where that name lies. All records of changes go out only while the ring has room to
//!   spare, so that they displace no others; what does not go out is counted.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    CHANGE_ATTRIBUTE, CHANGE_MODE, CHANGE_OWNER, CHANGE_TRUNCATED, Calls, Counter, GivenPath, Probe,
    REQUEST_CHANGED,
};

use crate::{
    actor,
    arguments::{Arguments, number},
    attempts::AT_FDCWD,
    begun::{self, are_kept},
    change_calls::{both, call, end, kept_ended},
    changes::{Attributes, Facts, known_by_call, nothing_given, one, two},
    descriptors,
    given::{Given, concerns, fill, is_empty, only},
    labels,
    offsets::{agent_pid, offset},
    path,
    read::{Probed, pointer},
    report::lose,
    task,
};

/// What of a mode a call sets, whatever else is given.
const PERMISSIONS: u32 = 0o7777;

/// Changes of what a path leads to.
#[tracepoint]
pub fn sys_exit_by_path(ctx: TracePointContext) -> u32 {
    by_path::<true>(&ctx);
    0
}

/// Refused ones only.
#[tracepoint]
pub fn sys_exit_by_path_denied(ctx: TracePointContext) -> u32 {
    by_path::<false>(&ctx);
    0
}

/// Changes of what a descriptor holds.
#[tracepoint]
pub fn sys_exit_by_descriptor(ctx: TracePointContext) -> u32 {
    by_descriptor::<true>(&ctx);
    0
}

/// Refused ones only.
#[tracepoint]
pub fn sys_exit_by_descriptor_denied(ctx: TracePointContext) -> u32 {
    by_descriptor::<false>(&ctx);
    0
}

/// A change of what a path leads to, as a system call asks for it.
pub struct PathChange {
    pub what: u32,
    pub given: Given,
    /// The name of an attribute, or 0.
    pub attribute: u64,
    /// As [`unpacked`] takes it.
    pub after: u64,
}

impl PathChange {
    #[inline(always)]
    pub fn of(number: i64, arguments: &Arguments) -> Option<Self> {
        let (first, second, third) = (arguments.first(), arguments.second(), arguments.third());
        let given = match number {
            call::FCHMODAT | call::FCHMODAT2 | call::FCHOWNAT | call::SETXATTRAT | call::REMOVEXATTRAT => {
                Given::at(first, second)
            }
            _ => Given::here(first),
        };
        let mut attribute = 0;
        let mut after = Attributes::UNKNOWN;
        let what = match number {
            call::TRUNCATE => CHANGE_TRUNCATED,
            call::CHMOD => {
                after.mode = second as u32 & PERMISSIONS;
                CHANGE_MODE
            }
            call::FCHMODAT | call::FCHMODAT2 => {
                after.mode = third as u32 & PERMISSIONS;
                CHANGE_MODE
            }
            call::CHOWN | call::LCHOWN => {
                (after.uid, after.gid) = (second as u32, third as u32);
                CHANGE_OWNER
            }
            call::FCHOWNAT => {
                (after.uid, after.gid) = (third as u32, arguments.fourth() as u32);
                CHANGE_OWNER
            }
            call::SETXATTRAT | call::REMOVEXATTRAT => {
                attribute = arguments.fourth();
                CHANGE_ATTRIBUTE
            }
            call::SETXATTR | call::LSETXATTR | call::REMOVEXATTR | call::LREMOVEXATTR => {
                attribute = second;
                CHANGE_ATTRIBUTE
            }
            _ => return None,
        };
        Some(Self {
            what,
            given,
            attribute,
            after: packed(what, after),
        })
    }

    /// Of what a descriptor holds.
    #[inline(always)]
    pub fn of_descriptor(number: i64, arguments: &Arguments) -> Option<Self> {
        let second = arguments.second();
        let mut after = Attributes::UNKNOWN;
        let (what, attribute) = match number {
            call::FTRUNCATE => (CHANGE_TRUNCATED, 0),
            call::FCHMOD => {
                after.mode = second as u32 & PERMISSIONS;
                (CHANGE_MODE, 0)
            }
            call::FCHOWN => {
                (after.uid, after.gid) = (second as u32, arguments.third() as u32);
                (CHANGE_OWNER, 0)
            }
            call::FSETXATTR | call::FREMOVEXATTR => (CHANGE_ATTRIBUTE, second),
            _ => return None,
        };
        Some(Self {
            what,
            given: Given::NONE,
            attribute,
            after: packed(what, after),
        })
    }

    /// Whether it is what a descriptor holds.
    #[inline(always)]
    pub fn is_of_descriptor(&self) -> bool {
        self.given.directory != AT_FDCWD && is_empty(self.given.text)
    }
}

#[inline(always)]
fn by_path<const SUCCESSES: bool>(ctx: &TracePointContext) {
    let end = end::<SUCCESSES>(ctx);
    if SUCCESSES && are_kept(Calls::Paths) {
        let kept = kept_ended(end, || {
            PathChange::of(number(ctx), &Arguments::current())
                .map(|change| (change.given, Given::here(change.attribute)))
        });
        if kept {
            return;
        }
        let began = begun::began(Calls::Paths);
        if end.is_none_or(|errno| errno == 0 && !began) {
            return;
        }
    }
    let Some(errno) = end else {
        return;
    };
    if task::current_pid() == agent_pid() {
        return;
    }
    let Some(change) = PathChange::of(number(ctx), &Arguments::current()) else {
        return;
    };
    if change.is_of_descriptor() {
        let descriptor = change.given.directory as u32;
        held(
            change.what | errno << 16,
            descriptor,
            change.attribute,
            change.after,
        );
        return;
    }
    told_by_path(
        change.what | errno << 16,
        change.given.directory,
        change.given.text,
        change.attribute,
        change.after,
    );
}

/// A mode stands where an owner would.
#[inline(always)]
fn packed(what: u32, after: Attributes) -> u64 {
    if what == CHANGE_MODE {
        u64::from(after.mode)
    } else {
        both(after.uid as i32, after.gid as i32)
    }
}

#[inline(always)]
pub fn unpacked(what: u32, after: u64) -> Attributes {
    let mut attributes = Attributes::UNKNOWN;
    if what == CHANGE_MODE {
        attributes.mode = after as u32;
    } else {
        attributes.uid = after as u32;
        attributes.gid = (after >> 32) as u32;
    }
    attributes
}

/// As [`told_by_user`], of what a path leads to.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn told_by_path(what: u32, directory: i32, text: u64, attribute: u64, after: u64) -> u32 {
    let given = Given { directory, text };
    if !concerns::<true>(given) {
        return 0;
    }
    let (what, errno) = (what & 0xffff, what >> 16);
    let mut facts = Facts::new(what);
    facts.errno = errno;
    facts.by_path = true;
    facts.after = unpacked(what, after);
    if attribute == 0 {
        one(&facts, |path| fill::<true>(path, given));
    } else {
        two(&facts, |path, name| {
            fill::<true>(path, given) && only::<true>(name, attribute)
        });
    }
    0
}

#[inline(always)]
fn by_descriptor<const SUCCESSES: bool>(ctx: &TracePointContext) {
    let end = end::<SUCCESSES>(ctx);
    let mut did_not_begin = false;
    if SUCCESSES && are_kept(Calls::Descriptors) {
        let kept = kept_ended(end, || {
            PathChange::of_descriptor(number(ctx), &Arguments::current())
                .map(|change| (Given::NONE, Given::here(change.attribute)))
        });
        did_not_begin = !kept && !begun::began(Calls::Descriptors);
        if kept {
            return;
        }
    }
    let Some(errno) = end else {
        return;
    };
    if task::current_pid() == agent_pid() {
        labels::answer_seen(REQUEST_CHANGED);
        return;
    }
    if errno == 0 && did_not_begin {
        return;
    }
    let arguments = Arguments::current();
    if let Some(change) = PathChange::of_descriptor(number(ctx), &arguments) {
        held(
            change.what | errno << 16,
            arguments.first() as u32,
            change.attribute,
            change.after,
        );
    }
}

/// As [`told_by_user`], of what a descriptor holds.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn held(what: u32, descriptor: u32, attribute: u64, after: u64) -> u32 {
    let file = descriptors::checked_file(descriptor);
    held_file::<true>(what & 0xffff, what >> 16, file, attribute, after, 0)
}

/// Of an open file; with `USER`, the name of an attribute is the caller's. `whose` is as in [`Facts`]. 0 where there is nothing to tell, for it is no
/// credential.
#[inline(always)]
pub fn held_file<const USER: bool>(
    what: u32,
    errno: u32,
    file: *const u8,
    attribute: u64,
    after: u64,
    whose: u64,
) -> u32 {
    if file.is_null() {
        // It was closed meanwhile.
        lose(Probe::CredentialChange, Counter::LostDescriptorGone);
        return 0;
    }
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let mut facts = Facts::new(what);
    facts.file = known_by_call(pointer::<Probed>(file, offset!(file_dentry)), inode);
    if facts.file.matched == 0 {
        return 0;
    }
    facts.errno = errno;
    facts.after = if errno == 0 {
        Attributes::of(inode)
    } else {
        unpacked(what, after)
    };
    facts.whose = whose;
    if attribute == 0 {
        one(&facts, |path| walked(path, file, whose));
    } else {
        two(&facts, |path, name| {
            walked(path, file, whose) && only::<USER>(name, attribute)
        });
    }
    1
}

/// The path of an open file, from the root of whose change it is. A function, for a closure that is used twice would be a frame of its own.
#[inline(always)]
pub fn walked(path: &mut GivenPath, file: *const u8, whose: u64) -> bool {
    nothing_given(path);
    if whose == 0 {
        path::walk(&path::of_file(file), &mut path.base);
    } else {
        path::walk_below(&actor::root(whose), &path::of_file(file), &mut path.base);
    }
    true
}
