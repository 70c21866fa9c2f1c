//! Labelling much in slices, so that the worker can turn to something else in between: a search can find tens of thousands of files at once.
//!
//! What a scan of the host's places has found is labelled in one go: what it finds, somebody may be about to use.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Done, Labelling};
use crate::{
    agent::{
        labelled::Root,
        messages::{LeftOutAt, ScanCounts},
        publicly::Public,
        ways::Watched,
    },
    credential::{LeftOut, ScanResult, Why, seen_through},
    decode::display,
};

/// Files and directories of one slice: some hundredths of a second.
const SLICE: usize = 128;

/// Roots whose labelling is not done. Beyond, the one that began first is done in one go.
const UNDER_WAY_MAX: usize = 64;

/// A root that is held.
pub(in crate::agent) struct Below {
    /// It.
    pub root: Arc<OwnedFd>,
    /// By which path this process reaches it; nothing where it is its own.
    pub path: PathBuf,
}

impl Below {
    /// The host's.
    pub(in crate::agent) fn host(root: Arc<OwnedFd>) -> Self {
        let path = PathBuf::new();
        Self { root, path }
    }

    /// By which path this process reaches what lies at one below it.
    pub(in crate::agent) fn reach(&self, path: &Path) -> PathBuf {
        seen_through(&self.path, path)
    }

    /// Where below it lies what this process reaches by a path; nothing where that is elsewhere.
    fn found_at(&self, reached: &Path) -> Option<PathBuf> {
        if self.path.as_os_str().is_empty() {
            return Some(reached.to_owned());
        }
        let below = reached.strip_prefix(&self.path).ok()?;
        Some(Path::new("/").join(below))
    }
}

/// What was found below a root, as far as it is not labelled yet.
pub(super) struct Job {
    root: Root,
    below: Below,
    found: ScanResult,
    /// Its ways so far; nothing once all of them are told of.
    watched: Option<Watched>,
    /// Ways, directories and files that are done.
    done: usize,
    counts: ScanCounts,
    begun: u64,
}

/// Those under way, in the order in which they began.
#[derive(Default)]
pub(super) struct Jobs(VecDeque<Job>);

impl Jobs {
    /// Forgets those of a root.
    pub(super) fn forget(&mut self, root: Root) {
        self.0.retain(|job| job.root != root);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn left_out_at(below: &Below, left_out: &LeftOut) -> Vec<LeftOutAt> {
    let place = |(why, path): &(Why, PathBuf)| LeftOutAt {
        why: why.word().to_owned(),
        path: display(below.reach(path).as_os_str().as_encoded_bytes()),
    };
    left_out.named().iter().map(place).collect()
}

impl Labelling {
    /// Begins to label what was found below a root.
    pub(super) fn begin(&mut self, root: Root, below: Below, found: ScanResult) -> Job {
        let counts = ScanCounts {
            left_out: found.left_out.total(),
            left_out_at: left_out_at(&below, &found.left_out),
            roots: u64::from(matches!(root, Root::Other(_))),
            ..ScanCounts::default()
        };
        Job {
            root,
            below,
            found,
            watched: Some(Watched::default()),
            done: 0,
            counts,
            begun: self.table.begin(),
        }
    }

    /// Labels a slice more; true once all is done.
    fn go_on(&mut self, job: &mut Job, public: &mut Public) -> bool {
        let (root, below) = (job.root, &job.below);
        let ways = job.found.ways.len();
        let directories = job.found.directories.len();
        let all = ways + directories + job.found.files.len();
        let end = all.min(job.done + SLICE);
        // Directories before files: a file that appears between is then known by its name.
        for at in job.done..end {
            if let (Some(way), Some(watched)) = (job.found.ways.get(at), &mut job.watched) {
                let asks = (&mut self.labeller, &mut self.hands);
                self.ways.watch(asks, root, below, way, watched);
                continue;
            }
            let at = at - ways;
            let (done, count) = match job.found.directories.get(at) {
                Some(one) => (
                    self.label_directory(root, below, one),
                    &mut job.counts.directories,
                ),
                None => {
                    let one = &job.found.files[at - directories];
                    let done = self.label_file(root, below, one, public);
                    (done, &mut job.counts.files)
                }
            };
            match done {
                Done::Yes => *count += 1,
                Done::Gone | Done::Hangs => {}
                Done::No => job.counts.not_labelled += 1,
            }
        }
        if end >= ways
            && let Some(watched) = job.watched.take()
        {
            self.watch_no_others(job, watched);
        }
        job.done = end;
        if end < all {
            return false;
        }
        for hanging in self.hands.avoided() {
            if let Some(path) = job.below.found_at(&hanging) {
                let (files, directories) = self.table.stays_below(root, &path, job.begun);
                job.counts.files += files;
                job.counts.directories += directories;
            }
        }
        for dropped in self.table.end_of(root, job.begun) {
            self.drop_label(dropped);
        }
        self.forget_names();
        self.counts.insert(root, std::mem::take(&mut job.counts));
        true
    }

    /// All ways of a root are watched: those that are none any more are so no longer.
    fn watch_no_others(&mut self, job: &Job, watched: Watched) {
        let objects = self.ways.end(&mut self.labeller, job.root, watched);
        if job.root == Root::Host {
            let ways = job.found.ways.iter();
            let paths = ways.map(|way| way.path.clone()).collect();
            self.knowledge.set_ways(paths, objects);
        }
    }

    /// Labels all of it.
    pub(super) fn finish(&mut self, mut job: Job, public: &mut Public) {
        while !self.go_on(&mut job, public) {}
    }

    /// Puts a job behind those that are under way.
    pub(super) fn put_off(&mut self, job: Job, public: &mut Public) {
        // What was found before is out of date.
        self.jobs.forget(job.root);
        self.jobs.0.push_back(job);
        if self.jobs.0.len() > UNDER_WAY_MAX
            && let Some(first) = self.jobs.0.pop_front()
        {
            self.finish(first, public);
        }
    }

    /// Whether something is under way.
    pub(in crate::agent) fn is_under_way(&self) -> bool {
        !self.jobs.0.is_empty()
    }

    /// Labels a slice more of what began first. How much is labelled, once that is done.
    pub(in crate::agent) fn label_more(&mut self, public: &mut Public) -> Option<ScanCounts> {
        let mut job = self.jobs.0.pop_front()?;
        if self.go_on(&mut job, public) {
            return Some(self.total());
        }
        self.jobs.0.push_front(job);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_known_below_the_root_in_which_it_lies_and_no_other() {
        let root = Arc::new(std::fs::File::open("/").expect("opened").into());
        let host = Below::host(Arc::clone(&root));
        let path = "/proc/17/root".into();
        let other = Below { root, path };
        assert_eq!(
            other.reach(Path::new("/home/a")),
            Path::new("/proc/17/root/home/a")
        );
        let at = |below: &Below, path| below.found_at(Path::new(path));
        assert_eq!(at(&other, "/proc/17/root/home/a"), Some("/home/a".into()));
        assert_eq!(at(&other, "/proc/17/root"), Some("/".into()));
        assert_eq!(at(&other, "/proc/18/root/home/a"), None);
        assert_eq!(at(&other, "/home/a"), None);
        assert_eq!(at(&host, "/home/a"), Some("/home/a".into()));
    }
}
