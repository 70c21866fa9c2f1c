//! Noticing at once that a directory appears through which a pattern leads on, as `~/.aws` when `aws configure` makes it.
//!
//! An inotify watch on each directory of which one is awaited; what happens there only brings the next scan forward, which then sees what is true. At
//! most [`WATCHES_MAX`] directories are watched, and fewer where the system allows fewer: what is not watched waits for the regular scan.

use std::{
    collections::{HashMap, HashSet},
    os::fd::{AsRawFd as _, OwnedFd},
    sync::mpsc::SyncSender,
};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

use super::worker::Ask;
use crate::credential::{Held, Seen, Way};

/// Directories watched. At the bound further ones are not.
pub(super) const WATCHES_MAX: usize = 4_096;

/// Bytes of an event before its name: inotify(7).
const HEADER: usize = 16;
const IN_Q_OVERFLOW: u32 = 0x4000;
const IN_IGNORED: u32 = 0x8000;
const IN_ISDIR: u32 = 0x4000_0000;

/// The watches.
pub(super) struct Ways {
    queue: OwnedFd,
    watched: HashMap<Seen, i32>,
    is_full: bool,
}

/// Listens as long as it lives.
pub(super) struct Listener {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins to listen; nothing where the system has no inotify left. Must be called within a tokio runtime.
pub(super) fn listen(asks: SyncSender<Ask>) -> Option<(Ways, Listener)> {
    let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
    let begun = inotify::init(flags)
        .map_err(std::io::Error::from)
        .and_then(|queue| Ok((Receiver::from_owned_fd_unchecked(queue.try_clone()?)?, queue)));
    match begun {
        Ok((readable, queue)) => {
            let task = tokio::spawn(async move {
                let mut buffer = [0; 8192];
                while readable.readable().await.is_ok() {
                    let Ok(read) = readable.try_read(&mut buffer) else {
                        continue;
                    };
                    if matters(&buffer[..read]) {
                        // A full queue means that the worker has enough to do; the regular scan will see.
                        let _full = asks.try_send(Ask::Look);
                    }
                }
            });
            let ways = Ways {
                queue,
                watched: HashMap::new(),
                is_full: false,
            };
            Some((ways, Listener { task }))
        }
        Err(error) => {
            tracing::warn!(%error, "new directories are noticed by the regular scan only: inotify cannot be used");
            None
        }
    }
}

/// Whether, of these events, one tells that a directory appeared or that something was missed. Total: bytes that are no event end it.
fn matters(mut events: &[u8]) -> bool {
    let number = |at: &[u8]| at.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    while let (Some(flags), Some(name)) = (
        events.get(4..).and_then(number),
        events.get(12..).and_then(number),
    ) {
        if flags & (IN_ISDIR | IN_Q_OVERFLOW) != 0 && flags & IN_IGNORED == 0 {
            return true;
        }
        let length = usize::try_from(name).unwrap_or(usize::MAX);
        events = events.get(HEADER.saturating_add(length)..).unwrap_or_default();
    }
    false
}

impl Ways {
    /// Watches these directories below a root, and no others.
    pub(super) fn watch(&mut self, root: &OwnedFd, ways: &[Way]) {
        let wanted: HashSet<Seen> = ways.iter().map(|way| way.seen).collect();
        let queue = &self.queue;
        self.watched.retain(|seen, watch| {
            let keep = wanted.contains(seen);
            if !keep {
                // It may be gone with its directory.
                let _gone = inotify::remove_watch(queue, *watch);
            }
            keep
        });
        for way in ways {
            if self.watched.contains_key(&way.seen) {
                continue;
            }
            if self.watched.len() >= WATCHES_MAX {
                return self.say_full();
            }
            let held = match Held::at(root, &way.path) {
                Ok(held) if held.seen() == way.seen => held,
                _ => continue,
            };
            let path = format!("/proc/self/fd/{}", held.descriptor().as_raw_fd());
            let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
            match inotify::add_watch(&self.queue, path, flags) {
                Ok(watch) => {
                    self.watched.insert(way.seen, watch);
                }
                Err(rustix::io::Errno::NOSPC) => return self.say_full(),
                Err(error) => tracing::debug!(%error, "a directory cannot be watched"),
            }
        }
    }

    fn say_full(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!(
                watched = self.watched.len(),
                "not every directory can be watched for new ones: what appears in the others is noticed by the regular scan"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::File, sync::mpsc::sync_channel, time::Duration};

    use super::*;

    /// Takes everything that is there.
    fn drain(queue: &OwnedFd) -> bool {
        let mut buffer = [0; 8192];
        let mut any = false;
        while let Ok(read) = rustix::io::read(queue, &mut buffer) {
            any |= matters(&buffer[..read]);
        }
        any
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_an_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = matters(&bytes);
        }
    }

    #[test]
    fn a_directory_that_appears_matters_and_a_file_does_not() {
        let root = tempfile::tempdir().expect("a directory");
        let opened = OwnedFd::from(File::open(root.path()).expect("a root"));
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).expect("inotify");
        let mut ways = Ways {
            queue,
            watched: HashMap::new(),
            is_full: false,
        };
        let way = |path: &str| Way {
            path: path.into(),
            seen: Held::at(&opened, path.as_ref()).expect("there").seen(),
        };
        fs::create_dir(root.path().join("home")).expect("made");
        ways.watch(&opened, &[way("/"), way("/home")]);
        fs::write(root.path().join("home/file"), "").expect("written");
        assert!(!drain(&ways.queue), "a file");
        fs::create_dir(root.path().join("home/.aws")).expect("made");
        assert!(drain(&ways.queue));

        ways.watch(&opened, &[way("/")]);
        assert_eq!(ways.watched.len(), 1);
        drain(&ways.queue);
        fs::create_dir(root.path().join("home/.kube")).expect("made");
        assert!(!drain(&ways.queue), "it is not watched any more");
        fs::rename(root.path().join("home/.aws"), root.path().join("moved")).expect("moved");
        assert!(drain(&ways.queue));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_appears_brings_the_next_scan_forward() {
        let root = tempfile::tempdir().expect("a directory");
        let opened = OwnedFd::from(File::open(root.path()).expect("a root"));
        let (asks, asked) = sync_channel(4);
        let (mut ways, _listener) = listen(asks).expect("inotify");
        let seen = Held::at(&opened, "/".as_ref()).expect("there").seen();
        let path = "/".into();
        ways.watch(&opened, &[Way { path, seen }]);
        fs::create_dir(root.path().join(".aws")).expect("made");
        let told = tokio::task::block_in_place(|| asked.recv_timeout(Duration::from_secs(30)));
        assert!(matches!(told, Ok(Ask::Look)));
    }
}
