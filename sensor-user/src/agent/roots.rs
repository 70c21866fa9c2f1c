//! The roots of containers and of others who see another tree than the agent: one for each mount namespace and root in it.
//!
//! They are found through procfs: `ns/mnt` names the namespace, the text of the link `root` tells roots in one namespace apart, and a root is
//! held by opening that link. The namespace is never entered. At most [`ROOTS_MAX`] are held; more are counted.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::seen_from::root_path;
use crate::attribute::{ProcessDirectory, pids};

/// Roots that are looked into. At the bound further ones are left out and counted.
pub(super) const ROOTS_MAX: usize = 512;

/// Tells roots apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: u32,
    root: PathBuf,
}

/// A root that is there.
#[derive(Debug)]
pub(super) struct Root {
    /// Its number, as long as it is there.
    pub id: u64,
    /// Whether it was not there before.
    pub is_new: bool,
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
    known: BTreeMap<Key, u64>,
    next: u64,
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
}

/// A root and its mounts.
type Held = (OwnedFd, Vec<u8>);

/// Gets hold of a root.
pub(super) type Hold = Box<dyn FnOnce() -> Option<Held> + Send>;

/// What came of holding a root.
pub(super) enum Reached {
    /// It.
    Root(Held),
    /// There is none any more.
    Nothing,
    /// Its file system does not answer.
    Hangs,
}

impl Roots {
    /// Looks through the processes. Only processes whose root is another than the caller's count.
    pub(super) fn look(&mut self) -> Seen {
        self.look_by(|_, hold| hold().map_or(Reached::Nothing, Reached::Root))
    }

    /// The same, where holding a root is done by somebody else: its file system may be asked for that, and hang. It is given the path of the root.
    pub(super) fn look_by(&mut self, mut hold_it: impl FnMut(&Path, Hold) -> Reached) -> Seen {
        let mut seen = Seen::default();
        let Some(own) = ProcessDirectory::own().and_then(|own| Key::of(&own)) else {
            return seen;
        };
        let mut found: BTreeMap<Key, u64> = BTreeMap::new();
        for pid in pids() {
            let Some(process) = ProcessDirectory::of(pid) else {
                continue;
            };
            let Some(key) = Key::of(&process) else { continue };
            if key == own || found.contains_key(&key) {
                continue;
            }
            if found.len() >= ROOTS_MAX {
                seen.left_out += 1;
                continue;
            }
            let known = self.known.get(&key).copied();
            let path = root_path(pid);
            let theirs = key.clone();
            let (directory, mountinfo) = match hold_it(&path, Box::new(move || hold(&process, &theirs))) {
                Reached::Root(held) => held,
                Reached::Nothing => continue,
                Reached::Hangs => {
                    // It is there, and what is labelled in it stays so.
                    found.extend(known.map(|id| (key, id)));
                    continue;
                }
            };
            let id = known.unwrap_or_else(|| {
                self.next += 1;
                self.next
            });
            found.insert(key, id);
            seen.roots.push(Root {
                id,
                is_new: known.is_none(),
                path,
                directory: Arc::new(directory),
                mountinfo,
            });
        }
        let before = std::mem::replace(&mut self.known, found);
        let is_there = |key: &Key| self.known.contains_key(key);
        seen.gone = before
            .into_iter()
            .filter(|(key, _)| !is_there(key))
            .map(|(_, id)| id)
            .collect();
        seen
    }
}

impl Key {
    fn of(process: &ProcessDirectory) -> Option<Self> {
        Some(Self {
            namespace: process.namespace("mnt")?,
            root: PathBuf::from(OsString::from_vec(process.link("root")?)),
        })
    }
}

/// Opens a process's root, if it is still the one that was looked at.
fn hold(process: &ProcessDirectory, key: &Key) -> Option<Held> {
    let directory = process.hold("root")?;
    let mountinfo = process.read("mountinfo")?;
    (Key::of(process)? == *key).then_some((directory, mountinfo))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// A process that waits in a mount namespace of its own; nothing where that cannot be made.
    fn elsewhere() -> Option<Child> {
        if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/unshare").exists() {
            eprintln!("skipped: only root can make a mount namespace, with unshare(1)");
            return None;
        }
        let mut child = Command::new("/usr/bin/unshare")
            .args(["--mount", "sh", "-c", "echo there; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).expect("it says so");
        Some(child)
    }

    #[test]
    fn a_namespace_is_met_once_and_gone_when_its_last_process_is() {
        let Some(mut child) = elsewhere() else { return };
        let key = ProcessDirectory::of(child.id())
            .and_then(|its| Key::of(&its))
            .expect("it runs");
        let mut roots = Roots::default();
        let first = roots.look();
        let id = roots.known[&key];
        let root = first.roots.iter().find(|root| root.id == id).expect("met");
        assert!(root.is_new);
        assert!(root.mountinfo.windows(5).any(|window| window == b"/proc"));
        let again = roots.look();
        let root = again
            .roots
            .iter()
            .find(|root| root.id == id)
            .expect("still there");
        assert!(!root.is_new);
        let hanging = roots.look_by(|_, _| Reached::Hangs);
        assert!(
            hanging.roots.is_empty() && !hanging.gone.contains(&id),
            "it hangs, and is not gone"
        );
        drop(child.stdin.take());
        child.wait().expect("ours");
        assert!(roots.look().gone.contains(&id));
        assert!(!roots.known.contains_key(&key));
    }

    #[test]
    fn ones_own_root_is_none_of_them() {
        let mut roots = Roots::default();
        roots.look();
        let own = ProcessDirectory::own()
            .and_then(|own| Key::of(&own))
            .expect("there");
        assert!(!roots.known.contains_key(&own));
    }
}
