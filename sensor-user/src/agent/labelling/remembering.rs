//! Writing down what is known by its history only, so that the next start knows it too.
//!
//! It is looked at after each scan, and after a copy was found, where each of these files lies by now; one that is nowhere any more is not written down again, nor
//! looked for. At most every [`WRITE_EVERY`] is it written, and only where it says something else than before.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

use claviger_sensor_common::ObjectKey;

use super::{
    Labelling,
    whereabouts::{Fate, Look, look},
};
use crate::{
    agent::{
        labels::Meaning,
        messages::ScanCounts,
        remembered::{History, REMEMBERED_MAX, Remembered, RememberedFile, RememberedOne},
    },
    kernel::FileHandle,
};

/// Between two times at which it is written, at least.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// Of the time between two looks, at most one part in so many is spent on looking.
const SHARE: u32 = 20;

/// What is remembered, and where that is written.
pub(super) struct Memory {
    pub(super) file: Option<RememberedFile>,
    /// Handles of what is labelled, where the kernel's numbers alone do not make them.
    handles: HashMap<ObjectKey, FileHandle>,
    fates: HashMap<ObjectKey, Fate>,
    /// The checksum of what is written, and how long it is.
    written: Option<(u32, usize)>,
    has_changed: bool,
    /// It could not be written last.
    is_failing: bool,
    /// When it may be written next.
    next: Instant,
    pub(super) remembered: u64,
    pub(super) left_out: u64,
}

impl Memory {
    pub(super) fn new(file: Option<RememberedFile>) -> Self {
        Self {
            file,
            handles: HashMap::new(),
            fates: HashMap::new(),
            written: None,
            has_changed: false,
            is_failing: false,
            next: Instant::now(),
            remembered: 0,
            left_out: 0,
        }
    }

    /// There is a file, and it may not say what is so.
    pub(super) fn was_read(&mut self) {
        self.written = Some((0, 0));
        self.changed();
    }

    /// An object was labelled as a file.
    pub(super) fn met(&mut self, object: ObjectKey, handle: Option<FileHandle>) {
        if self.file.is_none() {
            return;
        }
        match handle {
            Some(handle) if FileHandle::of_number(object).as_ref() != Some(&handle) => {
                self.handles.insert(object, handle);
            }
            _ => {
                self.handles.remove(&object);
            }
        }
    }

    /// An object has lost its label.
    pub(super) fn forget(&mut self, object: ObjectKey) {
        self.handles.remove(&object);
        self.fates.remove(&object);
    }

    /// It cannot be written. Said once until it can again: it is tried every few seconds.
    fn fails(&mut self, path: &Path, error: &dyn std::error::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(%error, path = %path.display(), "what is known of copies, and of credentials that have left their places, cannot be written down: the next start will not know it");
        }
    }

    /// Something may have changed.
    pub(super) fn changed(&mut self) {
        self.has_changed = self.file.is_some();
    }
}

impl Labelling {
    /// When it is to be written down; nothing where nothing has changed.
    pub(in crate::agent) fn remembers_at(&self) -> Option<Instant> {
        self.memory.has_changed.then_some(self.memory.next)
    }

    /// Writes down what has changed, where it is time. How much is labelled and remembered, where that is not as before.
    pub(in crate::agent) fn remember_in_time(&mut self, now: Instant) -> Option<ScanCounts> {
        if self.remembers_at().is_none_or(|at| at > now) {
            return None;
        }
        let before = (self.memory.remembered, self.memory.left_out);
        self.remember();
        let took = now.elapsed();
        self.memory.next = Instant::now() + WRITE_EVERY.max(took * SHARE);
        (before != (self.memory.remembered, self.memory.left_out)).then(|| self.total())
    }

    /// Writes down what has changed, now.
    pub(in crate::agent) fn remember(&mut self) {
        let Some(file) = self.memory.file.clone() else {
            return;
        };
        self.memory.has_changed = false;
        let Some(mut remembered) = self.look_where_they_are() else {
            return;
        };
        let bytes = remembered.encode();
        let (count, left_out) = (remembered.files.len() as u64, remembered.left_out);
        let written = Some((crc32c::crc32c(&bytes), bytes.len()));
        // Where there was nothing to be remembered ever, there is no file. One that somebody removed is written again.
        let has_none = self.memory.written.is_none() && remembered.files.is_empty();
        if has_none || (self.memory.written == written && file.has(bytes.len())) {
            (self.memory.remembered, self.memory.left_out) = (count, left_out);
            return;
        }
        let path = file.path().to_owned();
        let done = self.hands.run(&path, move |_| file.write(&bytes));
        match done {
            Ok(Ok(())) => {
                self.memory.written = written;
                (self.memory.remembered, self.memory.left_out) = (count, left_out);
                self.memory.is_failing = false;
                return;
            }
            Ok(Err(error)) => self.memory.fails(&path, &error),
            Err(error) => self.memory.fails(&path, &error),
        }
        self.memory.written = None;
        (self.memory.remembered, self.memory.left_out) = (0, count + left_out);
    }

    /// Looks where all of them lie now; nothing where something hangs.
    fn look_where_they_are(&mut self) -> Option<Remembered> {
        let (looks, left_out) = self.to_look_at();
        let result = self
            .hands
            .run(Path::new("/"), move |progress| look(looks, progress));
        let mut files = Vec::new();
        for (object, fate) in result.ok()? {
            if let Fate::There(one) = &fate {
                files.push(RememberedOne::clone(one));
            }
            self.memory.fates.insert(object, fate);
        }
        files.sort_unstable_by(|one, other| {
            (&one.file_system.source, one.inode, one.generation).cmp(&(
                &other.file_system.source,
                other.inode,
                other.generation,
            ))
        });
        Some(Remembered { files, left_out })
    }

    /// Those that are known by their history only and not known to be nowhere, and how many more there are than are remembered.
    fn to_look_at(&self) -> (Vec<Look>, u64) {
        let labels = self.knowledge.labels();
        let mut looks = Vec::new();
        let mut met = HashSet::new();
        let mut left_out = 0;
        for (labelled, lies_at) in self.table.by_history() {
            let Some(Meaning::Credential { entry, path }) = labels.meaning(labelled.id) else {
                continue;
            };
            let before = match self.memory.fates.get(&labelled.object) {
                Some(Fate::Nowhere) => continue,
                Some(Fate::There(before)) => Some(before.clone()),
                None => None,
            };
            if !met.insert(labelled.object) {
                continue;
            }
            if looks.len() >= REMEMBERED_MAX {
                left_out += 1;
                continue;
            }
            let known = before.as_ref().map(|before| before.at.as_path());
            let kept = self.memory.handles.get(&labelled.object).cloned();
            looks.push(Look {
                object: labelled.object,
                seen: labelled.seen,
                history: match self.copies.contains(&labelled.id) {
                    true => History::Copy,
                    false => History::Left,
                },
                entry: entry.id().to_owned(),
                path: path.clone(),
                at: lies_at.or(known).unwrap_or(path).to_owned(),
                handle: kept.or_else(|| FileHandle::of_number(labelled.object)),
                before,
            });
        }
        (looks, left_out)
    }
}
