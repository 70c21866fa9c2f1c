//! The roots of containers and of others who see another tree than the agent: one for each mount namespace and root directory in it.
//!
//! They are found through procfs, and held by opening the link `root`; the namespace is never entered. What that link says in words tells them apart
//! no more than the namespace does: both stay what they were when a container changes its root (`pivot_root`), and a number of a namespace is given
//! again. At most [`ROOTS_MAX`] are held; more are counted.

mod meet;

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use meet::{Hint, Key, meet};

use super::{
    hands::{Hands, Hangs},
    seen_from::root_path,
};
use crate::attribute::ProcessDirectory;

/// Roots that are looked into. At the bound further ones are left out and counted.
pub(super) const ROOTS_MAX: usize = 512;

/// A root that is there.
#[derive(Debug)]
pub(super) struct Root {
    /// Its number, as long as it is there.
    pub id: u64,
    /// Whether it was not there before.
    pub is_new: bool,
    /// A process that has it.
    pub pid: u32,
    /// By which path this process reaches it.
    pub path: PathBuf,
    /// It.
    pub directory: Arc<OwnedFd>,
    /// Its mounts, as mountinfo(5) has them.
    pub mountinfo: Vec<u8>,
}

/// Which there are.
#[derive(Debug, Default)]
pub(super) struct Roots {
    known: BTreeMap<Key, Known>,
    next: u64,
}

#[derive(Debug)]
struct Known {
    id: u64,
    hint: Hint,
}

/// What there is now.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The roots.
    pub roots: Vec<Root>,
    /// Those that are there no more.
    pub gone: Vec<u64>,
    /// How many were too many.
    pub left_out: u64,
    /// Mount namespaces with processes, the own too.
    pub namespaces: BTreeSet<u32>,
    /// Mount namespaces in which a root is there no more.
    pub left: BTreeSet<u32>,
}

/// The root of one process.
#[derive(Debug)]
pub(super) enum OfProcess {
    /// It.
    Root(Root),
    /// The own.
    Own,
    /// Of one too many.
    NoRoom,
    /// Nobody can tell any more: the process is gone.
    Gone,
    /// Its file system does not answer.
    Hangs,
}

/// Touches files, which may hang.
pub(super) trait Touch {
    /// As [`Hands::run`]. The work tells each path before it touches it, and does not where it may not.
    fn touch<T: Send + 'static>(
        &mut self,
        at: &Path,
        work: impl FnOnce(&dyn Fn(&Path) -> bool) -> T + Send + 'static,
    ) -> Result<T, Hangs>;
}

impl Touch for Hands {
    fn touch<T: Send + 'static>(
        &mut self,
        at: &Path,
        work: impl FnOnce(&dyn Fn(&Path) -> bool) -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        self.run(at, move |progress| work(&|path| progress.step(path)))
    }
}

/// Touches them itself.
struct Itself;

impl Touch for Itself {
    fn touch<T: Send + 'static>(
        &mut self,
        _at: &Path,
        work: impl FnOnce(&dyn Fn(&Path) -> bool) -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        Ok(work(&|_| true))
    }
}

/// A root and its mounts.
type Held = (OwnedFd, Vec<u8>);

impl Roots {
    /// Looks through the processes. Only processes whose root is another than the caller's count.
    pub(super) fn look(&mut self) -> Seen {
        self.look_by(&mut Itself)
    }

    /// The same, where files are touched by somebody else.
    pub(super) fn look_by(&mut self, touch: &mut impl Touch) -> Seen {
        let mut seen = Seen::default();
        let Some(met) = meet(touch) else {
            seen.namespaces = self.known.keys().map(Key::namespace).collect();
            return seen;
        };
        let mut found: BTreeMap<Key, Known> = BTreeMap::new();
        for (key, (pid, hint)) in met.roots {
            if found.len() >= ROOTS_MAX {
                seen.left_out += 1;
                continue;
            }
            let known = self.known.get(&key).map(|known| known.id);
            let keep = |id| Known { id, hint };
            match held(touch, pid, &key) {
                Ok(Some((directory, mountinfo))) => {
                    let id = known.unwrap_or_else(|| self.number());
                    found.insert(key, keep(id));
                    seen.roots.push(Root {
                        id,
                        is_new: known.is_none(),
                        pid,
                        path: root_path(pid),
                        directory: Arc::new(directory),
                        mountinfo,
                    });
                }
                Ok(None) => {}
                // It is there, and what is labelled in it stays so.
                Err(_) => found.extend(known.map(|id| (key, keep(id)))),
            }
        }
        for (key, known) in std::mem::take(&mut self.known) {
            if found.contains_key(&key) {
                continue;
            }
            if met.hung.contains(&known.hint) {
                found.insert(key, known);
                continue;
            }
            seen.left.insert(key.namespace());
            seen.gone.push(known.id);
        }
        self.known = found;
        seen.namespaces = met.namespaces;
        seen
    }

    /// The root of one process, which is known from then on.
    pub(super) fn of_process(&mut self, pid: u32, touch: &mut impl Touch) -> OfProcess {
        let path = root_path(pid);
        let reached = touch.touch(&path, move |_| {
            let own = ProcessDirectory::own()?;
            let own = Key::of(&own, own.namespace("mnt")?)?;
            let process = ProcessDirectory::of(pid)?;
            let hint = Hint::of(&process)?;
            let key = Key::of(&process, hint.namespace)?;
            if key == own {
                return Some(None);
            }
            let held = hold(&process, &key)?;
            Some(Some((key, hint, held)))
        });
        let (key, hint, (directory, mountinfo)) = match reached {
            Ok(Some(Some(reached))) => reached,
            Ok(Some(None)) => return OfProcess::Own,
            Ok(None) => return OfProcess::Gone,
            Err(_) => return OfProcess::Hangs,
        };
        let known = self.known.get(&key).map(|known| known.id);
        if known.is_none() && self.known.len() >= ROOTS_MAX {
            return OfProcess::NoRoom;
        }
        let id = known.unwrap_or_else(|| self.number());
        self.known.insert(key, Known { id, hint });
        OfProcess::Root(Root {
            id,
            is_new: known.is_none(),
            pid,
            path,
            directory: Arc::new(directory),
            mountinfo,
        })
    }

    /// The roots that are known in a mount namespace, by its inode number.
    pub(super) fn in_namespace(&self, namespace: u32) -> Vec<u64> {
        let there = self.known.iter().filter(|(key, _)| key.namespace() == namespace);
        there.map(|(_, known)| known.id).collect()
    }

    /// A root that is known, held by a process that had it or any other that has; nothing where it is there no more, or does not answer.
    pub(super) fn again(&mut self, id: u64, pid: u32, touch: &mut impl Touch) -> Option<Root> {
        let key = self.known.iter().find(|(_, known)| known.id == id)?.0.clone();
        let by = |touch: &mut _, pid| Some((pid, held(touch, pid, &key).ok()??));
        let (pid, (directory, mountinfo)) = by(touch, pid).or_else(|| {
            let (pid, _) = meet(touch)?.roots.remove(&key)?;
            by(touch, pid)
        })?;
        Some(Root {
            id,
            is_new: false,
            pid,
            path: root_path(pid),
            directory: Arc::new(directory),
            mountinfo,
        })
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Holds the root of a process, if it is still this one.
fn held(touch: &mut impl Touch, pid: u32, key: &Key) -> Result<Option<Held>, Hangs> {
    let key = key.clone();
    touch.touch(&root_path(pid), move |_| hold(&ProcessDirectory::of(pid)?, &key))
}

fn hold(process: &ProcessDirectory, key: &Key) -> Option<Held> {
    let directory = process.hold("root")?;
    let mountinfo = process.read("mountinfo")?;
    let is_it = Key::of(process, process.namespace("mnt")?)? == *key;
    is_it.then_some((directory, mountinfo))
}

#[cfg(test)]
mod tests;
