//! Labels of the sensor's own files: an open for writing by another, and of its keys any, is known by the object, whatever path led there.

mod places;

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use claviger_sensor_common::{DIRECTORY_HAS_PATTERNS, LABEL_OF_SENSOR, Label};

pub(in crate::agent) use places::Places as OwnPlaces;

use super::Labelling;
use crate::{
    agent::{
        bounds,
        labelled::{Labelled, Root},
        labels::Meaning,
    },
    credential::Held,
    kernel::Purpose,
    regular,
};

/// What of the sensor's own is labelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    /// Reads of it matter too.
    Key,
}

impl Labelling {
    /// Labels the program, the configuration, directories in which every file is the sensor's, and what
    /// bounds it. What the catalogue names keeps its label.
    pub(super) fn label_own(&mut self, root: &OwnedFd) {
        self.table.begin();
        for path in self.own.directories() {
            self.label_one(root, &path, Kind::Directory);
        }
        for path in self.own.keys().to_vec() {
            self.label_one(root, &path, Kind::Key);
        }
        self.label_self_test(root);
        let files = self.own.files().to_vec();
        match bounds::files() {
            Some(bounds) => self.bounds = bounds,
            // Those that are known keep their labels.
            None => tracing::warn!("which cgroups bound the sensor cannot be read; new ones are not watched"),
        }
        for path in files.into_iter().chain(self.bounds.clone()) {
            self.label_one(root, &path, Kind::File);
        }
        for dropped in self.table.end(Root::Own) {
            self.drop_label(dropped);
        }
        self.own_places.tell(&mut self.labeller, root, &self.own);
    }

    /// Labels the file of the self-test, made where it is not there; nothing where that cannot be done. Opens of it are told to the agent, whoever
    /// opens it.
    pub(in crate::agent) fn label_self_test(&mut self, root: &OwnedFd) -> Option<PathBuf> {
        let path = self.own.self_test()?.to_owned();
        let is_there = std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_file());
        if !is_there && let Err(error) = regular::replace(&path, "self-test.new", b"") {
            tracing::warn!(%error, path = %path.display(), "the file of the self-test cannot be made: whether labelled files are told is not tested");
            return None;
        }
        self.label_one(root, &path, Kind::Key);
        let seen = Held::at(root, &path).ok()?.seen();
        self.table.is_labelled(Root::Own, &path, seen).then_some(path)
    }

    fn label_one(&mut self, root: &OwnedFd, path: &Path, kind: Kind) {
        let Ok(held) = Held::at(root, path) else {
            return;
        };
        let seen = held.seen();
        if self.table.holds(Root::Host, path, seen) || self.table.is_labelled(Root::Own, path, seen) {
            return;
        }
        let meaning = Meaning::Sensor {
            path: path.to_owned(),
        };
        let Some(id) = self.knowledge.labels().hold(meaning) else {
            return unwatched(path);
        };
        let is_directory = kind == Kind::Directory;
        let asked = if is_directory {
            let flags = DIRECTORY_HAS_PATTERNS | LABEL_OF_SENSOR;
            let label = Purpose::Directory(Label { id, flags });
            self.labeller.ask(label, || held.open_directory())
        } else {
            let label = Purpose::Object(Label {
                id,
                // Without the mark reads are told too.
                flags: if kind == Kind::Key { 0 } else { LABEL_OF_SENSOR },
            });
            self.labeller.ask(label, || held.open_file())
        };
        match asked {
            Ok((Ok(_), Some(object))) => {
                let labelled = Labelled {
                    seen,
                    object,
                    id,
                    names: is_directory.then(Vec::new),
                };
                self.keep(Root::Own, path, labelled);
            }
            asked => {
                self.knowledge.labels().release(id);
                if !matches!(asked, Ok((Err(_), _))) {
                    unwatched(path);
                }
            }
        }
    }
}

fn unwatched(path: &Path) {
    tracing::debug!(path = %path.display(), "writes to a file of the sensor's own are not seen");
}
