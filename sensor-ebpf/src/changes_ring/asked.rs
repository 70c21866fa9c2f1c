//! What was asked of a ring, until its end: by whom, the names, which are gone by then, and what they start at.

use aya_ebpf::{helpers::bpf_probe_read_kernel_buf, macros::map, maps::HashMap};
use claviger_sensor_common::{
    CHANGE_ATTRIBUTE, CHANGE_SYMLINKED, CHANGE_TRUNCATED, Counter, GivenPath, IN_FLIGHT_MAX, Probe,
};
use zerocopy::IntoBytes as _;

use super::overflow;
use crate::{
    actor::{self, Actor},
    agent_root,
    changes::{Facts, one, two},
    given::{Given, fill, only, start},
    io_uring::overflow::KnownBy,
    names_asked::NO_PATH,
    numbers::untyped,
    path::{self, AT_ROOT, Place},
    read::Probed,
    report::lose,
    task,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Asked {
    pub what: u32,
    has_second: u32,
    /// 1 where it may concern us, as it was asked.
    may_concern: u32,
    reserved: u32,
    pub directory: i32,
    pub second_directory: i32,
    /// The dentries at which relative paths start, 0 where that is not open; of others [`NOWHERE`].
    start: u64,
    second_start: u64,
    /// How it is found by what its completion says of it.
    pub known_by: KnownBy,
    pub actor: Actor,
    pub first: GivenPath,
    pub second: GivenPath,
}

/// As a start: there is none.
const NOWHERE: u64 = 1;

/// What paths start at when the request completes.
pub enum Start {
    /// The same as when it was submitted, as far as can be known.
    Same,
    /// Something else.
    Another,
    /// It was not open then, and is not at hand now.
    Unknown,
}

/// What a new entry begins with: it is too large to be put together anywhere else than in its place.
#[unsafe(no_mangle)]
static NO_CHANGE_ASKED: Asked = Asked {
    what: 0,
    has_second: 0,
    may_concern: 0,
    reserved: 0,
    directory: 0,
    second_directory: 0,
    start: NOWHERE,
    second_start: NOWHERE,
    known_by: KnownBy::NOTHING,
    actor: Actor::NOBODY,
    first: NO_PATH,
    second: NO_PATH,
};

/// Changes under way, by the address of their request.
#[map]
pub static CHANGES_ASKED: HashMap<u64, Asked> = HashMap::with_max_entries(IN_FLIGHT_MAX, 1);

impl Asked {
    #[inline(always)]
    pub fn are_starts_known(&self) -> bool {
        self.start != 0 && self.second_start != 0
    }

    /// The second path, where there is one.
    #[inline(always)]
    pub fn second_text(&self) -> u64 {
        if self.has_second != 0 {
            untyped(self.second.given.as_ptr())
        } else {
            0
        }
    }

    /// Compares what the paths started at, and the root, with what they would start at now, if the current task is of the process that asked.
    #[inline(always)]
    pub fn start_now(&self) -> Start {
        let is_known = self.are_starts_known();
        let not_known = if is_known { Start::Same } else { Start::Unknown };
        if !self.actor.is_current() {
            return not_known;
        }
        let root = actor::root(untyped((&raw const self.actor).cast()));
        let root_now = path::root::<Probed>(task::current());
        if root.dentry != root_now.dentry || root.mount != root_now.mount {
            return Start::Another;
        }
        let first = now(self.start, self.directory);
        let second = now(self.second_start, self.second_directory);
        if first == 0 || second == 0 {
            not_known
        } else if first == self.start && second == self.second_start {
            Start::Same
        } else {
            Start::Another
        }
    }
}

/// The dentry at which a path would start now, if it is relative.
#[inline(always)]
fn now(before: u64, directory: i32) -> u64 {
    if before == NOWHERE {
        NOWHERE
    } else {
        untyped(start(directory).dentry)
    }
}

/// Whether the end of a change is awaited.
#[inline(always)]
pub fn is_under_way(request: u64) -> bool {
    CHANGES_ASKED.get_ptr(request).is_some()
}

/// The end of a change is awaited no longer.
#[inline(always)]
pub fn over(request: u64) {
    overflow::forget_change(request);
    // It may not have been kept.
    let _not_kept = CHANGES_ASKED.remove(request);
}

/// Keeps a change that is submitted now; false where there is nothing to keep, or no room for it, which is counted.
#[inline(always)]
pub fn remember(request: u64, what: u32, may_concern: bool, from: &Given, to: &Given) -> bool {
    // One before it at the same address may have ended without anybody seeing it.
    overflow::forget_change(request);
    let nothing: &Asked = &NO_CHANGE_ASKED;
    if CHANGES_ASKED.insert(request, nothing, 0).is_err() {
        lose(Probe::CredentialChange, Counter::LostInFlight);
        return false;
    }
    let Some(asked) = CHANGES_ASKED.get_ptr_mut(request) else {
        return false;
    };
    // SAFETY: a value of the map, which nothing else touches while its request is under way.
    let asked = unsafe { &mut *asked };
    asked.what = what;
    asked.may_concern = u32::from(may_concern);
    asked.has_second = u32::from(to.text != 0);
    asked.directory = from.directory;
    asked.second_directory = to.directory;
    keep_change(request, from.text, to.text);
    true
}

/// Who asks, and the names. Global, so that what it takes of the stack is free again behind it. What cannot be read stays empty, and is told as such.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn keep_change(request: u64, from: u64, to: u64) -> u32 {
    let Some(asked) = CHANGES_ASKED.get_ptr_mut(request) else {
        return 0;
    };
    // SAFETY: as above.
    let asked = unsafe { &mut *asked };
    asked.actor.take_current();
    // Of a setxattr by path the second is the name of the attribute, of one by descriptor the only one is.
    let is_attribute = asked.what == CHANGE_ATTRIBUTE;
    let is_first_alone = asked.what == CHANGE_SYMLINKED || (is_attribute && to == 0);
    let given = Given {
        directory: asked.directory,
        text: from,
    };
    if asked.what == CHANGE_TRUNCATED {
        return 0;
    }
    asked.start = path(&mut asked.first, given, is_first_alone);
    if asked.what == CHANGE_SYMLINKED {
        agent_root::locate(&mut asked.first, Place::NOWHERE, AT_ROOT);
    }
    if to != 0 {
        let given = Given {
            directory: asked.second_directory,
            text: to,
        };
        asked.second_start = path(&mut asked.second, given, is_attribute);
    }
    0
}

/// Keeps one; returns what it starts at.
#[inline(always)]
fn path(path: &mut GivenPath, given: Given, is_alone: bool) -> u64 {
    let is_read = if is_alone {
        only::<false>(path, given.text)
    } else {
        fill::<false>(path, given)
    };
    if is_alone || !is_read || path.given[0] == b'/' {
        NOWHERE
    } else {
        untyped(start(given.directory).dentry)
    }
}

/// Tells a change of names, or an attribute of what a path leads to, as it was asked. Global, so that the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn told_change_asked(request: u64, errno: u32) -> u32 {
    let Some(asked) = CHANGES_ASKED.get_ptr(request) else {
        return 0;
    };
    // SAFETY: a value of the map that stays while this program runs.
    let asked = unsafe { &*asked };
    if asked.may_concern == 0 {
        return 0;
    }
    let mut facts = Facts::new(asked.what);
    facts.errno = errno;
    facts.by_path = true;
    facts.whose = untyped((&raw const asked.actor).cast());
    if asked.has_second == 0 {
        one(&facts, |path| copy(&asked.first, path));
    } else {
        two(&facts, |path, second| {
            copy(&asked.first, path) && copy(&asked.second, second)
        });
    }
    0
}

#[inline(always)]
fn copy(from: &GivenPath, to: &mut GivenPath) -> bool {
    // SAFETY: the helper copies from any address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_kernel_buf((&raw const *from).cast(), to.as_mut_bytes()) }.is_ok()
}
