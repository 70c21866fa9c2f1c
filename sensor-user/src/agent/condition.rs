//! How an agent stands, beside its accounts.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{hands::Hanging, self_test::SelfTest};
use crate::config::Policy;

/// Which policy is in force, for `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// SHA-256 of the catalogue, hexadecimal.
    pub digest: String,
    /// Its entries.
    pub entries: usize,
    /// The operator's files in it.
    pub files: Vec<String>,
    /// Why a later one was refused; nothing where the newest holds.
    pub refused: Option<String>,
    /// Catalogues that were taken while the sensor ran.
    pub taken: u64,
    /// Catalogues that were refused while the sensor ran.
    pub refusals: u64,
}

impl PolicyReport {
    /// That of a policy in force.
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            digest: policy.digest.clone(),
            entries: policy.catalogue.entries().len(),
            files: policy
                .files
                .iter()
                .map(|file| file.display().to_string())
                .collect(),
            refused: None,
            taken: 0,
            refusals: 0,
        }
    }
}

/// The state.
#[derive(Debug)]
pub(super) struct Condition {
    /// What is in force.
    pub policy: PolicyReport,
    /// What is about to be, and who waits for it.
    pub coming: Option<(Policy, oneshot::Sender<()>)>,
    /// Credentials that could not be labelled, untold.
    pub not_labelled: u64,
    /// When it was looked last whether an overlay was mounted over credentials, and when it is to be again.
    pub overlays_looked_for: Option<Instant>,
    pub overlays_due: Option<Instant>,
    /// What does not answer.
    pub hanging: Vec<Hanging>,
    /// Where the sensor tests itself.
    pub self_test: Option<SelfTest>,
    /// Opens of the self-test's file that were told since the test before.
    pub self_test_opens: u64,
    /// Losses of opens in the kernel half when the test before was judged.
    pub opens_lost: u64,
}
