//! Changes of names by the exits of their system calls: `syscalls:sys_exit_{rename,unlink,link,symlink,…}` and, for what may be a new way to credentials, `mkdir` and
//! `mount`. How they are told see [`crate::changed_paths`].

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{
    CHANGE_APPEARED, CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_REMOVED, CHANGE_RENAMED, CHANGE_SYMLINKED, Calls,
};

use crate::{
    arguments::{Arguments, number, result},
    begun::{self, are_kept},
    change_calls::{both, call, end, kept_ended},
    changes::{Facts, RENAME_EXCHANGE, one, two},
    given::{Given, concerns, fill, has_slash, target},
    labels,
    offsets::agent_pid,
    task,
};

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
                target::<USER>(path, from.text)
            } else {
                fill::<USER>(path, from)
            };
            filled && fill::<USER>(out, to)
        });
    }
}
