//! Labelling much in slices, so that the worker can turn to something else in between: a search can find tens of thousands of files at once.
//!
//! What a scan of the host's places has found is labelled in one go: what it finds, somebody may be about to use.

use std::{collections::VecDeque, os::fd::OwnedFd, sync::Arc};

use super::{Done, Labelling};
use crate::{
    agent::{labelled::Root, messages::ScanCounts, publicly::Public},
    credential::ScanResult,
};

/// Files and directories of one slice: some hundredths of a second.
const SLICE: usize = 128;

/// Roots whose labelling is not done. Beyond, the one that began first is done in one go.
const UNDER_WAY_MAX: usize = 64;

/// What was found below a root, as far as it is not labelled yet.
pub(super) struct Job {
    root: Root,
    directory: Arc<OwnedFd>,
    found: ScanResult,
    /// Files and directories that are done.
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

impl Labelling {
    /// Begins to label what was found below a root.
    pub(super) fn begin(&mut self, root: Root, directory: Arc<OwnedFd>, found: ScanResult) -> Job {
        let counts = ScanCounts {
            left_out: found.limits_hit.total(),
            roots: u64::from(matches!(root, Root::Other(_))),
            ..ScanCounts::default()
        };
        Job {
            root,
            directory,
            found,
            done: 0,
            counts,
            begun: self.table.begin(),
        }
    }

    /// Labels a slice more; true once all is done.
    fn go_on(&mut self, job: &mut Job, public: &mut Public) -> bool {
        let (root, below) = (job.root, &job.directory);
        let directories = job.found.directories.len();
        let all = directories + job.found.files.len();
        let end = all.min(job.done + SLICE);
        // Directories first: a file that appears between is then known by its name.
        for at in job.done..end {
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
        job.done = end;
        if end < all {
            return false;
        }
        for hanging in self.hands.avoided() {
            self.table.stays_below(root, &hanging);
        }
        for dropped in self.table.end_of(root, job.begun) {
            self.drop_label(dropped);
        }
        self.forget_names();
        self.counts.insert(root, job.counts);
        true
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
