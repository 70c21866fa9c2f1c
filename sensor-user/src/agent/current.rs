//! The catalogue that is in force, for threads that may be busy with the one before for long.

use std::sync::{Arc, PoisonError, RwLock};

use claviger_proto::catalogue::Catalogue;

/// It.
#[derive(Clone)]
pub(super) struct Current(Arc<RwLock<Arc<Catalogue>>>);

impl Current {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Self {
        Self(Arc::new(RwLock::new(catalogue)))
    }

    pub(super) fn get(&self) -> Arc<Catalogue> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, catalogue: Arc<Catalogue>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = catalogue;
    }
}
