//! The one map from what went wrong to what a caller is told. Internals go to the log, not to the caller.

use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;

use crate::enrol::EnrolError;
use crate::store::StoreError;
use crate::store::db::Database;

pub(super) fn of_store(error: &StoreError) -> Status {
    if error.is_full() {
        Status::resource_exhausted("the detector's disk is full; keep the evidence and send it again")
    } else {
        Status::unavailable("the detector cannot use its store at the moment; see its log")
    }
}

pub(super) fn of_enrol(error: &EnrolError) -> Status {
    match error {
        EnrolError::TokenExpired { .. } | EnrolError::TokenUnknown | EnrolError::TokenUsed { .. } => {
            Status::permission_denied(error.to_string())
        }
        EnrolError::Malformed { .. } => Status::invalid_argument(error.to_string()),
        EnrolError::Store(error) => of_store(error),
        EnrolError::Authority { .. } | EnrolError::Certificate { .. } | EnrolError::Random(_) => {
            Status::internal("the detector cannot issue a certificate; see its log")
        }
    }
}

/// An error with all that caused it, for the log.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A connection to the database that services share. Held for one short query at a time.
#[derive(Clone, Debug)]
pub(super) struct SharedDatabase(Arc<Mutex<Database>>);

impl SharedDatabase {
    pub(super) fn new(database: Database) -> Self {
        Self(Arc::new(Mutex::new(database)))
    }

    /// Uses the connection on a thread that may block.
    pub(super) async fn with<T, E>(
        &self,
        step: impl FnOnce(&mut Database) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, Status>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let database = Arc::clone(&self.0);
        let step = move || step(&mut database.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(step)
            .await
            .map_err(|_| Status::internal("the detector failed; see its log"))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use tonic::Code;

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let store = |kind| StoreError::io("append to", Path::new("/x"))(io::Error::from(kind));
        assert_eq!(
            of_store(&store(io::ErrorKind::StorageFull)).code(),
            Code::ResourceExhausted
        );
        let broken = of_store(&store(io::ErrorKind::PermissionDenied));
        assert_eq!(broken.code(), Code::Unavailable);
        assert!(!broken.message().contains("/x"), "paths stay in the log");
    }

    #[test]
    fn the_cause_is_in_the_log_line_once() {
        let error = StoreError::io("sync", Path::new("/x"))(io::Error::other("because"));
        assert_eq!(chain(&error), "cannot sync /x: because");
    }
}
