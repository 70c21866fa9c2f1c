//! Changes of files by the exits of their system calls: `syscalls:sys_exit_{rename,unlink,link,symlink,chmod,chown,setxattr,truncate,…}` and, for what may
//! be a new way to credentials, `mkdir` and `mount`.
//!
//! - By descriptor, the object itself. By path, the path as it was given, with the directory at which it starts: the kernel shows no object there.
//! - Beside [`crate::changed_objects`], which sees what happened, these programs look at refusals only.
//! - Such calls come from everything that happens on a host. One that names a neighbour in a directory that is none of ours (what `rm -r` does)
//!   is dismissed at once: a path of one name says exactly where that name lies. All records of changes go out only while the ring has room to
//!   spare, so that they displace no others; what does not go out is counted.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    CHANGE_APPEARED, CHANGE_ATTRIBUTE, CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_MODE, CHANGE_OWNER,
    CHANGE_REMOVED, CHANGE_RENAMED, CHANGE_SYMLINKED, CHANGE_TRUNCATED, Calls, Counter, GivenPath, Probe,
    REQUEST_CHANGED,
};

use crate::{
    actor,
    arguments::{Arguments, number, result},
    attempts::{AT_FDCWD, is_refusal},
    begun::{self, are_kept},
    changes::{Attributes, Facts, RENAME_EXCHANGE, known_by_call, nothing_given, one, two},
    descriptors,
    given::{Given, concerns, fill, has_slash, is_empty, only},
    labels,
    names_asked::{NOT_KEPT, READ_AT_END, names_ended, read_rest},
    offsets::{agent_pid, offset},
    path,
    read::{Probed, pointer},
    report::lose,
    task,
};

/// What of a mode a call sets, whatever else is given.
const PERMISSIONS: u32 = 0o7777;
/// include/uapi/linux/fcntl.h
pub const AT_REMOVEDIR: u64 = 0x200;
/// Changes of names.
#[tracepoint]
pub fn sys_exit_names(ctx: TracePointContext) -> u32 {
    names::<true>(&ctx);
    0
}

/// Refused ones only.
#[tracepoint]
pub fn sys_exit_names_denied(ctx: TracePointContext) -> u32 {
    names::<false>(&ctx);
    0
}

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

/// Directories made, and mounts.
#[tracepoint]
pub fn sys_exit_appears(ctx: TracePointContext) -> u32 {
    if result(&ctx) != 0 || task::current_pid() == agent_pid() {
        return 0;
    }
    let arguments = Arguments::current();
    let given = match number(&ctx) {
        call::MKDIR => Given::here(arguments.first()),
        call::MKDIRAT => Given::at(arguments.first(), arguments.second()),
        call::MOUNT => Given::here(arguments.second()),
        call::MOVE_MOUNT => Given::at(arguments.third(), arguments.fourth()),
        _ => return 0,
    };
    if concerns::<true>(given) {
        let mut facts = Facts::new(CHANGE_APPEARED);
        facts.by_path = true;
        one(&facts, |path| fill::<true>(path, given));
    }
    0
}

/// Numbers of the calls, of x86-64.
mod call {
    pub const TRUNCATE: i64 = 76;
    pub const FTRUNCATE: i64 = 77;
    pub const RENAME: i64 = 82;
    pub const MKDIR: i64 = 83;
    pub const LINK: i64 = 86;
    pub const UNLINK: i64 = 87;
    pub const SYMLINK: i64 = 88;
    pub const CHMOD: i64 = 90;
    pub const FCHMOD: i64 = 91;
    pub const CHOWN: i64 = 92;
    pub const FCHOWN: i64 = 93;
    pub const LCHOWN: i64 = 94;
    pub const MOUNT: i64 = 165;
    pub const SETXATTR: i64 = 188;
    pub const LSETXATTR: i64 = 189;
    pub const FSETXATTR: i64 = 190;
    pub const REMOVEXATTR: i64 = 197;
    pub const LREMOVEXATTR: i64 = 198;
    pub const FREMOVEXATTR: i64 = 199;
    pub const MKDIRAT: i64 = 258;
    pub const FCHOWNAT: i64 = 260;
    pub const UNLINKAT: i64 = 263;
    pub const RENAMEAT: i64 = 264;
    pub const LINKAT: i64 = 265;
    pub const SYMLINKAT: i64 = 266;
    pub const FCHMODAT: i64 = 268;
    pub const RENAMEAT2: i64 = 316;
    pub const MOVE_MOUNT: i64 = 429;
    pub const FCHMODAT2: i64 = 452;
    pub const SETXATTRAT: i64 = 463;
    pub const REMOVEXATTRAT: i64 = 466;
}

/// The errno of a call that is to be told: 0 for success.
#[inline(always)]
fn end<const SUCCESSES: bool>(ctx: &TracePointContext) -> Option<u32> {
    let result = result(ctx);
    if result == 0 {
        SUCCESSES.then_some(0)
    } else {
        is_refusal(result).then_some(-result as u32)
    }
}

#[inline(always)]
fn names<const SUCCESSES: bool>(ctx: &TracePointContext) {
    let end = end::<SUCCESSES>(ctx);
    if SUCCESSES && are_kept(Calls::Names) {
        let kept = kept_ended(end, || {
            asked(number(ctx), &Arguments::current()).map(|(_, from, to)| (from, to))
        });
        if kept {
            return;
        }
        // One that did not begin can have been refused all the same.
        let began = begun::began(Calls::Names);
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
    let Some((what, from, to)) = asked(number(ctx), &Arguments::current()) else {
        return;
    };
    let late = if SUCCESSES { READ_LATE } else { 0 };
    told_by_user(
        what | errno << 16 | late,
        both(from.directory, to.directory),
        from.text,
        to.text,
    );
}

/// Ends what was kept of the beginning of this call, and tells it; false where nothing was.
#[inline(always)]
fn kept_ended(end: Option<u32>, texts: impl FnOnce() -> Option<(Given, Given)>) -> bool {
    let (is_told, errno) = (u32::from(end.is_some()), end.unwrap_or_default());
    match names_ended(is_told, errno, 0) {
        READ_AT_END => {
            if let Some((from, to)) = texts() {
                read_rest(both(from.directory, to.directory), from.text, to.text);
                names_ended(is_told, errno, 1);
            }
            true
        }
        NOT_KEPT => false,
        _ => true,
    }
}

/// Which change of names a system call asks for.
#[inline(always)]
pub fn asked(number: i64, arguments: &Arguments) -> Option<(u32, Given, Given)> {
    let (first, second, third) = (arguments.first(), arguments.second(), arguments.third());
    let mut what = CHANGE_RENAMED;
    let (from, to) = match number {
        call::UNLINK => (Given::here(first), Given::NONE),
        call::UNLINKAT if third & AT_REMOVEDIR == 0 => (Given::at(first, second), Given::NONE),
        call::RENAME | call::LINK => (Given::here(first), Given::here(second)),
        call::RENAMEAT | call::RENAMEAT2 | call::LINKAT => {
            (Given::at(first, second), Given::at(third, arguments.fourth()))
        }
        call::SYMLINK => (Given::here(first), Given::here(second)),
        call::SYMLINKAT => (Given::here(first), Given::at(second, third)),
        _ => return None,
    };
    match number {
        call::UNLINK | call::UNLINKAT => what = CHANGE_REMOVED,
        call::LINK | call::LINKAT => what = CHANGE_LINKED,
        call::SYMLINK | call::SYMLINKAT => what = CHANGE_SYMLINKED,
        call::RENAMEAT2 if arguments.fifth() as u32 & RENAME_EXCHANGE != 0 => what = CHANGE_EXCHANGED,
        _ => {}
    }
    Some((what, from, to))
}

/// With what [`told_by_user`] is told: it is read when the call has ended.
const READ_LATE: u32 = 1 << 31;

/// Two numbers as one argument.
#[inline(always)]
pub const fn both(low: i32, high: i32) -> u64 {
    low as u32 as u64 | (high as u32 as u64) << 32
}

/// Tells a change of names that may concern us. Global, so that the verifier looks at it once and not for every system call; so its arguments
/// are numbers: `what` and above it the errno, and both directories.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn told_by_user(what: u32, directories: u64, from: u64, to: u64) -> u32 {
    let (from, to) = (Given::at(directories, from), Given::at(directories >> 32, to));
    let (errno, read_late) = ((what & !READ_LATE) >> 16, what & READ_LATE != 0);
    tell::<true>(what & 0xffff, errno, read_late, from, to);
    0
}

/// Whether a change of names may concern us.
#[inline(always)]
pub fn concerned<const USER: bool>(what: u32, from: Given, to: Given) -> bool {
    if what == CHANGE_SYMLINKED {
        // One name alone leads to a neighbour of the link.
        labels::is_watching() && (has_slash::<USER>(from.text) || concerns::<USER>(to))
    } else {
        concerns::<USER>(from) || (to.text != 0 && concerns::<USER>(to))
    }
}

/// Tells a change of names that may concern us.
#[inline(always)]
pub fn tell<const USER: bool>(what: u32, errno: u32, read_late: bool, from: Given, to: Given) {
    if !concerned::<USER>(what, from, to) {
        return;
    }
    let is_symlink = what == CHANGE_SYMLINKED;
    let mut facts = Facts::new(what);
    facts.errno = errno;
    facts.by_path = true;
    facts.read_late = read_late;
    if to.text == 0 {
        one(&facts, |path| fill::<USER>(path, from));
    } else {
        two(&facts, |path, out| {
            let filled = if is_symlink {
                only::<USER>(path, from.text)
            } else {
                fill::<USER>(path, from)
            };
            filled && fill::<USER>(out, to)
        });
    }
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
