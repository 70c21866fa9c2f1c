//! Which roots there are, by a look at each process.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::Touch;
use crate::{
    agent::{hands::Hangs, seen_from::root_path},
    attribute::{Identity, ProcessDirectory, pids},
};

/// Of roots that begin to hang one after the other while it is looked for them, so many are waited for.
const HANGING_MAX: usize = 4;

/// Tells roots apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    namespace: u32,
    root: Identity,
}

impl Key {
    /// Touches the root, without asking who serves it.
    pub(super) fn of(process: &ProcessDirectory, namespace: u32) -> Option<Self> {
        let root = process.identity("root")?;
        Some(Self { namespace, root })
    }

    pub(super) fn namespace(&self) -> u32 {
        self.namespace
    }
}

/// What is known of a root without touching it. Several can have it in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hint {
    pub(super) namespace: u32,
    text: PathBuf,
}

impl Hint {
    pub(super) fn of(process: &ProcessDirectory) -> Option<Self> {
        Some(Self {
            namespace: process.namespace("mnt")?,
            text: PathBuf::from(OsString::from_vec(process.link("root")?)),
        })
    }
}

/// What was met.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// The roots that are not the own, each with a process that has it.
    pub(super) roots: BTreeMap<Key, (u32, Hint)>,
    /// Mount namespaces of processes, the own too.
    pub(super) namespaces: BTreeSet<u32>,
    /// Roots that do not answer.
    pub(super) hung: BTreeSet<Hint>,
}

/// Looks at every process's root; nothing where that does not come to an end.
pub(super) fn meet(touch: &mut impl Touch) -> Option<Met> {
    let mut hung = BTreeSet::new();
    for _ in 0..=HANGING_MAX {
        let at = Arc::<Mutex<Option<Hint>>>::default();
        let (known, now_at) = (hung.clone(), Arc::clone(&at));
        match touch.touch(Path::new("/proc"), move |step| each(step, known, &now_at)) {
            Ok(met) => return met,
            Err(Hangs::There) => hung.insert(at.lock().unwrap_or_else(PoisonError::into_inner).take()?),
            Err(Hangs::NoThread) => return None,
        };
    }
    None
}

/// Says at which it is. Where one of a kind hangs, none of that kind is touched.
fn each(step: &dyn Fn(&Path) -> bool, hung: BTreeSet<Hint>, at: &Mutex<Option<Hint>>) -> Option<Met> {
    let own = ProcessDirectory::own()?;
    let own = Key::of(&own, own.namespace("mnt")?)?;
    let mut met = Met {
        hung,
        ..Met::default()
    };
    for pid in pids() {
        let Some(process) = ProcessDirectory::of(pid) else {
            continue;
        };
        let Some(hint) = Hint::of(&process) else { continue };
        met.namespaces.insert(hint.namespace);
        if met.hung.contains(&hint) {
            continue;
        }
        *at.lock().unwrap_or_else(PoisonError::into_inner) = Some(hint.clone());
        if !step(&root_path(pid)) {
            met.hung.insert(hint);
            continue;
        }
        match Key::of(&process, hint.namespace) {
            Some(key) if key != own => {
                met.roots.entry(key).or_insert((pid, hint));
            }
            _ => {}
        }
    }
    Some(met)
}
