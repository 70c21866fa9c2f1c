//! What the worker has found out, for whoever needs it at any time.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use claviger_sensor_common::ObjectKey;

use super::{known::Known, labels::Labels, placed::Placed};
use crate::credential::{Overlay, Places};

/// What the pipeline needs to know of the worker's findings, at any time.
#[derive(Clone)]
pub(super) struct Knowledge {
    labels: Arc<Mutex<Labels>>,
    known: Arc<Mutex<Known>>,
    placed: Arc<Mutex<Placed>>,
    places: Arc<RwLock<Arc<Places>>>,
    /// Directories of the host in which others lead on.
    ways: Arc<Mutex<KnownWays>>,
    /// Overlays over directories of credentials.
    overlays: Arc<RwLock<Arc<[Overlay]>>>,
}

/// Directories of the host in which others lead on, those that the kernel half knows also by its numbers.
#[derive(Default)]
struct KnownWays {
    paths: HashSet<PathBuf>,
    objects: HashMap<ObjectKey, PathBuf>,
}

impl Knowledge {
    pub(super) fn new(places: Arc<Places>) -> Self {
        Self {
            labels: Arc::default(),
            known: Arc::default(),
            placed: Arc::default(),
            places: Arc::new(RwLock::new(places)),
            ways: Arc::default(),
            overlays: Arc::new(RwLock::new(Arc::new([]))),
        }
    }

    /// What labels stand for.
    pub(super) fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What credentials say.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come to lie at credentials' places.
    pub(super) fn placed(&self) -> MutexGuard<'_, Placed> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Others lead on in other directories.
    pub(super) fn set_ways(&self, paths: HashSet<PathBuf>, objects: HashMap<ObjectKey, PathBuf>) {
        *self.ways.lock().unwrap_or_else(PoisonError::into_inner) = KnownWays { paths, objects };
    }

    /// Where such a directory is, by the kernel's numbers of it.
    pub(super) fn way_of(&self, object: ObjectKey) -> Option<PathBuf> {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.objects.get(&object).cloned()
    }

    /// Whether what appears in this directory may lead to credentials.
    pub(super) fn is_way(&self, directory: &Path) -> bool {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.paths.contains(directory) || self.labels().is_directory(directory)
    }

    /// Overlays of the host over directories of credentials.
    pub(super) fn overlays(&self) -> Arc<[Overlay]> {
        Arc::clone(&self.overlays.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other overlays are mounted.
    pub(super) fn set_overlays(&self, overlays: Arc<[Overlay]>) {
        *self.overlays.write().unwrap_or_else(PoisonError::into_inner) = overlays;
    }

    /// Where credentials can lie.
    pub(super) fn places(&self) -> Arc<Places> {
        Arc::clone(&self.places.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other homes, other places.
    pub(super) fn set_places(&self, places: Arc<Places>) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
    }
}
